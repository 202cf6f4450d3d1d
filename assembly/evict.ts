/** Evictions on demand: one tag, or seeded victims (docs/memory-law.md, "Capacity and victims"). */
import { reserve } from './arena';
import { evictLine } from './cache';
import { cacheSets } from './config';
import { isOccupied, slotAt, slotKeyId, slotLine, slotTotal } from './directory';
import { drawEviction } from './mix';
import { sortedCount, sortedView } from './order';
import { findView, frameOf, heldBy, validIn } from './views';

export function evict(pkg: u32, line: u64, keyId: u32): bool {
  const view = findView(line >> 6, keyId);
  const index = <u32>line & 63;
  if (view == 0 || (validIn(view, pkg) & ((<u64>1) << index)) == 0) return false;
  evictLine(view, pkg, index);
  return true;
}

export function evictSome(pkg: u32, wanted: u32): u32 {
  let done: u32 = 0;
  for (; done < wanted && heldBy(pkg) != 0; ++done) {
    reserve();
    if (cacheSets != 0) evictSlot(pkg);
    else evictRank(pkg);
  }
  return done;
}

function evictSlot(pkg: u32): void {
  const total = slotTotal();
  let slot = <u32>(drawEviction(pkg) % <u64>total);
  while (!isOccupied(slotAt(pkg, slot))) slot = slot + 1 == total ? 0 : slot + 1;
  const at = slotAt(pkg, slot);
  const line = slotLine(at);
  evictLine(findView(line >> 6, slotKeyId(at)), pkg, <u32>line & 63);
}

/** Unbounded: the tag of a drawn rank among the held ones in ascending (line, KeyID). */
function evictRank(pkg: u32): void {
  const views = sortedCount();
  let rank = drawEviction(pkg) % heldBy(pkg);
  for (let i: u32 = 0; i < views; ) {
    const frame = frameOf(sortedView(i));
    let end = i;
    let held: u64 = 0;
    for (; end < views && frameOf(sortedView(end)) == frame; ++end) held += <u64>popcnt(validIn(sortedView(end), pkg));
    if (rank < held) {
      evictInPage(pkg, i, end, rank);
      return;
    }
    rank -= held;
    i = end;
  }
}

/** Among the aliases of one page at positions [first, last). */
function evictInPage(pkg: u32, first: u32, last: u32, rank: u64): void {
  for (let index: u32 = 0; index < 64; ++index) {
    for (let i = first; i < last; ++i) {
      if (((validIn(sortedView(i), pkg) >> index) & 1) == 0) continue;
      if (rank == 0) {
        evictLine(sortedView(i), pkg, index);
        return;
      }
      rank -= 1;
    }
  }
}
