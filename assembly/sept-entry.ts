/** What an S-EPT entry says (SDM vol. 3C, "EPT Translation Mechanism"), and the record of how a walk ended. */

import { addressBits } from './config';
import { WALK_ENTRY, WALK_HPA, WALK_LEVEL, WALK_STATUS } from './layout';
import { walkResult } from './memory-map';
import { SEPT_HPA_MASK, SEPT_IPAT, SEPT_LEAF, SEPT_MT_MASK, SEPT_R, SEPT_W, SEPT_X } from './spec/sept';

/** The largest leaf is 1 GiB. */
const LAST_LEAF_LEVEL: u32 = 2;
/** Memory types 2, 3 and 7, a bit each. */
const RESERVED_TYPES: u64 = 0x8c;
const MT_SHIFT: u64 = 3;

export function isPresent(raw: u64): bool {
  return (raw & (SEPT_R | SEPT_W | SEPT_X)) != 0;
}

/** Bit 7 is ignored at 4 KiB, and reserved above 1 GiB. */
export function isLeaf(raw: u64, level: u32): bool {
  return level == 0 || (level <= LAST_LEAF_LEVEL && (raw & SEPT_LEAF) != 0);
}

/** SDM vol. 3C, "EPT Misconfigurations", of an entry that is present. Execute-only translations are supported. */
export function isMisconfigured(raw: u64, level: u32): bool {
  if ((raw & (SEPT_R | SEPT_W)) == SEPT_W || (raw & SEPT_HPA_MASK) >> <u64>addressBits != 0) return true;
  if (!isLeaf(raw, level)) return (raw & (SEPT_MT_MASK | SEPT_IPAT | (level > LAST_LEAF_LEVEL ? SEPT_LEAF : 0))) != 0;
  return ((RESERVED_TYPES >> ((raw & SEPT_MT_MASK) >> MT_SHIFT)) & 1) != 0 || (raw & inside(level) & SEPT_HPA_MASK) != 0;
}

/** What the entry denies whoever walks through it. */
export function denials(raw: u64): u64 {
  return ~raw & (SEPT_R | SEPT_W);
}

/** Bits of an address inside what an entry of the level translates. */
function inside(level: u32): u64 {
  return ((<u64>1) << (12 + 9 * <u64>level)) - 1;
}

/** HPA of the 4 KiB page of `gpa` in the leaf `raw` at `level`. */
export function pageIn(raw: u64, level: u32, gpa: u64): u64 {
  return (raw | (gpa & inside(level))) & SEPT_HPA_MASK;
}

export function finish(status: i32, level: u32, raw: u64, hpa: u64): i32 {
  store<u64>(walkResult, hpa, WALK_HPA);
  store<u64>(walkResult, raw, WALK_ENTRY);
  store<u32>(walkResult, level, WALK_LEVEL);
  store<i32>(walkResult, status, WALK_STATUS);
  return status;
}
