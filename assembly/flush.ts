/** CLFLUSH, WBINVD and WBNOINVD. */
import { reserve, take } from './arena';
import { dropFrom, settle, writeBack, writeBackAs } from './cache';
import { cacheSets, eager, packages } from './config';
import { writeTag } from './controller';
import { count } from './counters';
import { clearPackage } from './directory';
import { homeOf } from './homes';
import { instanceAsOf, isFault, tagOf } from './keys';
import { CAUSE_CLFLUSH, CAUSE_WBINVD, CAUSE_WBNOINVD } from './layout';
import { fillPage } from './lines';
import { putPage } from './page';
import { noteWbinvd, resolveAll, resolveRange, tryResolveAll } from './pending';
import { displacePage } from './range-fill';
import { dataPages } from './slabs';
import { COUNTER_CLFLUSH_LINES, COUNTER_CONTROLLER_WRITES, COUNTER_WBINVD_LINES, COUNTER_WRITE_BACKS } from './spec/counters';
import { INSTANCE } from './tags';
import { collapseAbove, pageDescriptor, setFill } from './tree';
import { changeHeldBelow, firstView, NO_FRAME, nextFrame } from './view-index';
import {
  DATA,
  DIRTY,
  dataPage,
  findView,
  frameOf,
  heldBy,
  keyIdOf,
  makeDataPage,
  NEXT,
  PATTERN,
  POISONED,
  setValid,
  VIEW_WRITER,
  validIn,
  viewCount,
  WRITERS,
} from './views';

/** In place of a cause: no write-back, for a direct store replaces the line anyway. */
export const DISCARD = -1;

/** Lines of `frame` that lie in [first, last). */
function linesWithin(frame: u64, first: u64, last: u64): u64 {
  const start = frame << 6;
  const from = first > start ? first - start : 0;
  const to = min<u64>(last - start, 64);
  if (first >= start + 64 || last <= start) return 0;
  return (to == 64 ? ~(<u64>0) : ((<u64>1) << to) - 1) & ~(((<u64>1) << from) - 1);
}

/** Drops lines of one tag range from every package; dirty ones are written back first unless `cause` is DISCARD. One step. */
export function flushView(view: usize, lines: u64, cause: i32): void {
  let dirty = cause == DISCARD ? 0 : load<u64>(view, DIRTY) & lines;
  if (dirty != 0) reserve();
  for (; dirty != 0; dirty &= dirty - 1) writeBack(view, <u32>ctz(dirty), cause);
  for (let p: u32 = 0; p < packages; ++p) dropFrom(view, p, lines);
  settle(view);
}

/** One cached line of a KeyID, wherever it is. */
export function flushLine(line: u64, keyId: u32, cause: i32): void {
  const view = findView(line >> 6, keyId);
  if (view != 0) flushView(view, (<u64>1) << (line & 63), cause);
}

/** Every cached line of KeyID `keyId` in [line, line + lines). What WBINVD has promised for those pages is done first. */
function flushRange(line: u64, lines: u64, keyId: u32, cause: i32): void {
  if (lines == 0) return;
  resolveRange(line >> 6, ((line + lines - 1) >> 6) + 1);
  flushResolved(line, line + lines, keyId, cause);
}

/** The same for lines of [line, end) when nothing is noted for their pages. */
export function flushResolved(line: u64, end: u64, keyId: u32, cause: i32): void {
  if (viewCount == 0) return;
  const last = (end - 1) >> 6;
  for (let frame = nextFrame(line >> 6); frame <= last; frame = nextFrame(frame + 1)) {
    const view = findView(frame, keyId);
    if (view != 0) flushView(view, linesWithin(frame, line, end), cause);
  }
}

export function clflush(line: u64, lines: u64, keyId: u32): void {
  count(COUNTER_CLFLUSH_LINES, lines);
  flushRange(line, lines, keyId, CAUSE_CLFLUSH);
}

/** Writes back dirty lines of a view under a tag, in one step; `drop`: the lines leave afterwards. */
function drainView(view: usize, dirty: u64, tag: u32, cause: i32, drop: bool): void {
  count(COUNTER_WBINVD_LINES, <u64>popcnt(dirty));
  if (dirty == ~(<u64>0) && drainPage(view, tag, cause, drop)) return;
  for (let bits = dirty; bits != 0; bits &= bits - 1) writeBackAs(view, <u32>ctz(bits), tag, cause);
}

/** A page with all lines dirty: its data change hands instead of being copied when the view goes away. */
function drainPage(view: usize, tag: u32, cause: i32, drop: bool): bool {
  if (eager || isFault(tag & INSTANCE) || load<u64>(view, POISONED) != 0) return false;
  const frame = frameOf(view);
  const desc = pageDescriptor(frame);
  const writer = load<u32>(view, VIEW_WRITER);
  const writers = <usize>load<u32>(view, WRITERS);
  count(COUNTER_WRITE_BACKS, 64);
  count(COUNTER_CONTROLLER_WRITES, 64);
  displacePage(desc, frame, tag, writer, writers, cause);
  if (load<u32>(view, DATA) != 0) {
    putPage(desc, handOver(view, drop), tag, writer, writers);
  } else if (writers == 0) {
    setFill(desc, tag, writer, load<u64>(view, PATTERN));
    collapseAbove(frame);
  } else {
    const page = take(dataPages);
    fillPage(page, load<u64>(view, PATTERN));
    putPage(desc, page, tag, writer, writers);
  }
  store<u64>(view, 0, DIRTY);
  return true;
}

function handOver(view: usize, drop: bool): usize {
  const page = dataPage(view) != 0 ? dataPage(view) : makeDataPage(view);
  if (drop) {
    store<u32>(view, 0, DATA);
    return page;
  }
  const copy = take(dataPages);
  memory.copy(copy, page, 4096);
  return copy;
}

/** What a WBINVD promised for a view: written back under the key of that moment, and dropped. One step. */
export function drainAsOf(view: usize, pkg: u32, wbinvd: u64): void {
  const frame = frameOf(view);
  const keyId = keyIdOf(view);
  const held = validIn(view, pkg);
  const dirty = held & load<u64>(view, DIRTY);
  if (dirty != 0) drainView(view, dirty, tagOf(instanceAsOf(homeOf(frame), keyId, wbinvd), keyId), CAUSE_WBINVD, true);
  setValid(view, pkg, 0);
  changeHeldBelow(frame, pkg, -(<i32>popcnt<i64>(<i64>held)));
  settle(view);
}

/** O(1): the pages do it when they are next looked at. A bounded cache is small, and is emptied at once if memory allows. */
export function wbinvd(pkg: u32): void {
  if (heldBy(pkg) == 0) return;
  noteWbinvd(pkg);
  if (cacheSets == 0) return;
  clearPackage(pkg);
  tryResolveAll();
}

export function wbnoinvd(pkg: u32): void {
  if (heldBy(pkg) == 0) return;
  resolveAll();
  for (let frame = nextFrame(0); frame != NO_FRAME; frame = nextFrame(frame + 1)) {
    for (let view = firstView(frame); view != 0; view = load<u32>(view, NEXT)) {
      const dirty = validIn(view, pkg) & load<u64>(view, DIRTY);
      if (dirty == 0) continue;
      reserve();
      drainView(view, dirty, writeTag(homeOf(frame), keyIdOf(view)), CAUSE_WBNOINVD, false);
    }
  }
}
