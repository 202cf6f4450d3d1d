/** Evictions on demand: one tag, or seeded victims (docs/memory-law.md, "Capacity and victims"). */
import { reserve } from './arena';
import { evictLine } from './cache';
import { cacheSets } from './config';
import { occupiedSlot, slotKeyId, slotLine, slotTotal } from './directory';
import { drawEviction } from './mix';
import { resolveAll } from './pending';
import { firstView, nextFrame, rankLeft, regionOfRank } from './view-index';
import { findView, heldBy, keyIdOf, NEXT, validIn } from './views';

export function evict(pkg: u32, line: u64, keyId: u32): bool {
  const view = findView(line >> 6, keyId);
  const index = <u32>line & 63;
  if (view == 0 || (validIn(view, pkg) & ((<u64>1) << index)) == 0) return false;
  reserve();
  evictLine(view, pkg, index);
  return true;
}

export function evictSome(pkg: u32, wanted: u32): u32 {
  let done: u32 = 0;
  for (; done < wanted && heldBy(pkg) != 0; ++done) {
    resolveAll();
    reserve();
    if (cacheSets != 0) evictSlot(pkg);
    else evictRank(pkg);
  }
  return done;
}

function evictSlot(pkg: u32): void {
  const at = occupiedSlot(pkg, <u32>(drawEviction(pkg) % <u64>slotTotal()));
  const line = slotLine(at);
  evictLine(findView(line >> 6, slotKeyId(at)), pkg, <u32>line & 63);
}

/** Unbounded: the tag of a drawn rank among the held ones in ascending (line, KeyID). */
function evictRank(pkg: u32): void {
  let frame = nextFrame(regionOfRank(pkg, drawEviction(pkg) % heldBy(pkg)));
  let rank = rankLeft;
  for (; ; frame = nextFrame(frame + 1)) {
    const held = heldInPage(frame, pkg);
    if (rank < held) break;
    rank -= held;
  }
  evictInPage(frame, pkg, rank);
}

function heldInPage(frame: u64, pkg: u32): u64 {
  let held: u64 = 0;
  for (let view = firstView(frame); view != 0; view = load<u32>(view, NEXT)) held += <u64>popcnt(validIn(view, pkg));
  return held;
}

/** The tag of a rank among the aliases of one page. */
function evictInPage(frame: u64, pkg: u32, among: u64): void {
  let rank = among;
  for (let index: u32 = 0; index < 64; ++index) {
    for (let view = firstView(frame); view != 0; view = load<u32>(view, NEXT)) {
      if (((validIn(view, pkg) >> index) & 1) == 0) continue;
      if (rank == 0) {
        evictLine(findView(frame, keyIdOf(view)), pkg, index);
        return;
      }
      rank -= 1;
    }
  }
}
