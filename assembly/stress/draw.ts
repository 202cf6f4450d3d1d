/** Random numbers of a stress program: each operation has four words of its own, so that a run may stop anywhere (docs/stress-law.md). */
import { mix } from '../mix';

const STREAM: u64 = 0x5354524553530000;
const REGIONS: u64 = 0x524547494f4e5300;
const HOLES: u64 = 0x484f4c4553000000;

/** Word j of operation n is mix(stream + 4n + j). */
export let stream: u64 = 0;
let regions: u64 = 0;
let holes: u64 = 0;

export function seedDraws(seed: u64): void {
  stream = mix(seed ^ STREAM);
  regions = mix(seed ^ REGIONS);
  holes = mix(seed ^ HOLES);
}

/** Word 0 to 3 of operation `n`. */
export function drawWord(n: u64, word: u64): u64 {
  return mix(stream + (n << 2) + word);
}

export function drawRegion(region: u64): u64 {
  return mix(regions + region);
}

/** One guest page in sixteen is not mapped. */
export function isHole(page: u64): bool {
  return (mix(holes + page) & 15) == 0;
}

/** floor(word · below / 2^64), for `below` under 2^32. */
export function shortRange(word: u64, below: u64): u64 {
  return ((word >> 32) * below + (((word & 0xffffffff) * below) >> 32)) >> 32;
}

/** floor(word · below / 2^64): an even draw from 0 to below - 1, without a division. */
export function range(word: u64, below: u64): u64 {
  if (below >> 32 == 0) return shortRange(word, below);
  const low = ((word & 0xffffffff) * (below & 0xffffffff)) >> 32;
  const middle = (word >> 32) * (below & 0xffffffff);
  const other = (word & 0xffffffff) * (below >> 32);
  const carry = (low + (middle & 0xffffffff) + (other & 0xffffffff)) >> 32;
  return (word >> 32) * (below >> 32) + (middle >> 32) + (other >> 32) + carry;
}
