/** What an S-EPT entry says, and the record of how a walk ended. */

import { addressBits } from './config';
import { WALK_ENTRY, WALK_HPA, WALK_LEVEL, WALK_MISCONFIGURATION, WALK_STATUS, WALK_VIOLATION } from './layout';
import { walkResult } from './memory-map';

/** S-EPT entry bits (layouts.md §9). */
export const READ: u64 = 1;
export const WRITE: u64 = 2;
export const LEAF: u64 = 1 << 7;
export const ADDRESS: u64 = 0x000ffffffffff000;
/** The largest leaf is 1 GiB. */
export const LAST_LEAF_LEVEL: u32 = 2;

/** Bits that decide whether an entry can be used: READ alone of them. */
export function decisiveBits(): u64 {
  return READ | (ADDRESS & ~(((<u64>1) << addressBits) - 1));
}

export function finish(status: i32, level: u32, raw: u64, hpa: u64): i32 {
  store<u64>(walkResult, hpa, WALK_HPA);
  store<u64>(walkResult, raw, WALK_ENTRY);
  store<u32>(walkResult, level, WALK_LEVEL);
  store<i32>(walkResult, status, WALK_STATUS);
  return status;
}

/** SDM, EPT misconfigurations: write without read is one; anything else without read is not present for us. */
export function finishBad(level: u32, raw: u64): i32 {
  return finish((raw & (READ | WRITE)) == 0 ? WALK_VIOLATION : WALK_MISCONFIGURATION, level, raw, 0);
}

/** HPA of the 4 KiB page of `gpa` in the leaf `raw` at `level`. */
export function pageIn(raw: u64, level: u32, gpa: u64): u64 {
  const inside = ((<u64>1) << (12 + 9 * <u64>level)) - 1;
  return (raw & ADDRESS & ~inside) | (gpa & inside & ADDRESS);
}
