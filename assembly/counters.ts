import { counterBase } from './memory-map';

/** Adds to a model counter (u64, index from spec/counters.json). */
export function count(index: i32, amount: u64 = 1): void {
  const at = counterBase + ((<usize>index) << 3);
  store<u64>(at, load<u64>(at) + amount);
}

/** Counter value as a double: exact below 2^53. */
export function counterValue(index: i32): f64 {
  return <f64>load<u64>(counterBase + ((<usize>index) << 3));
}
