import { seed } from './config';

/** SplitMix64's step (docs/memory-law.md, "Capacity and victims"). */
export function mix(x: u64): u64 {
  let z = x + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

const EVICTIONS: u64 = 0x4556494354000000;
const drawCounters: usize = memory.data(64, 16);

/** Next draw of a package's eviction stream; its counter is never reset. */
export function drawEviction(pkg: u32): u64 {
  const at = drawCounters + ((<usize>pkg) << 3);
  const n = load<u64>(at);
  store<u64>(at, n + 1);
  return mix(mix(seed ^ EVICTIONS ^ <u64>pkg) + n);
}
