/** CLFLUSH, WBINVD and WBNOINVD. */
import { reserve, take } from './arena';
import { dropFrom, settle, writeBack } from './cache';
import { eager, packages } from './config';
import { count } from './counters';
import { homeOf } from './homes';
import { expectedTag } from './keys';
import { CAUSE_CLFLUSH, CAUSE_WBINVD, CAUSE_WBNOINVD } from './layout';
import { putPage } from './page';
import { displacePage } from './range-fill';
import { dataPages } from './slabs';
import { COUNTER_CLFLUSH_LINES, COUNTER_CONTROLLER_WRITES, COUNTER_WBINVD_LINES, COUNTER_WRITE_BACKS } from './spec/counters';
import { collapseAbove, pageDescriptor, setFill } from './tree';
import {
  bucketCount,
  bucketHead,
  DATA,
  DIRTY,
  findView,
  frameOf,
  heldBy,
  keyIdOf,
  NEXT,
  PATTERN,
  POISONED,
  VIEW_WRITER,
  validIn,
  viewCount,
  WRITERS,
} from './views';

/** Lines of `frame` that lie in [first, last). */
export function linesWithin(frame: u64, first: u64, last: u64): u64 {
  const start = frame << 6;
  const from = first > start ? first - start : 0;
  const to = min<u64>(last - start, 64);
  if (first >= start + 64 || last <= start) return 0;
  return (to == 64 ? ~(<u64>0) : ((<u64>1) << to) - 1) & ~(((<u64>1) << from) - 1);
}

/** Drops lines of one tag range from every package; dirty ones are written back first when there is a `cause` (else -1). */
export function flushView(view: usize, lines: u64, cause: i32): void {
  for (let dirty = cause < 0 ? 0 : load<u64>(view, DIRTY) & lines; dirty != 0; dirty &= dirty - 1) {
    writeBack(view, <u32>ctz(dirty), cause);
  }
  for (let p: u32 = 0; p < packages; ++p) dropFrom(view, p, lines);
  settle(view);
}

/** Every cached line of KeyID `keyId` in [line, line + lines), by page or by view, whichever are fewer. */
export function flushRange(line: u64, lines: u64, keyId: u32, cause: i32): void {
  const end = line + lines;
  const last = (end - 1) >> 6;
  if (lines == 0) return;
  if (last - (line >> 6) > <u64>viewCount + <u64>bucketCount()) {
    flushViewsWithin(line, end, keyId, cause);
    return;
  }
  for (let frame = line >> 6; frame <= last; ++frame) {
    const view = findView(frame, keyId);
    if (view != 0) flushView(view, linesWithin(frame, line, end), cause);
  }
}

function flushViewsWithin(line: u64, end: u64, keyId: u32, cause: i32): void {
  for (let bucket: u32 = 0; bucket < bucketCount(); ++bucket) {
    let view = bucketHead(bucket);
    while (view != 0) {
      const next = <usize>load<u32>(view, NEXT);
      const lines = keyIdOf(view) == keyId ? linesWithin(frameOf(view), line, end) : 0;
      if (lines != 0) flushView(view, lines, cause);
      view = next;
    }
  }
}

export function clflush(line: u64, lines: u64, keyId: u32): void {
  count(COUNTER_CLFLUSH_LINES, lines);
  flushRange(line, lines, keyId, CAUSE_CLFLUSH);
}

/**
 * Writes back a package's dirty lines. Chains are ordered by (page, KeyID), so that the aliases of a line drain in ascending
 * KeyID; between different lines the order cannot be seen.
 */
function drain(pkg: u32, cause: i32, drop: bool): void {
  if (heldBy(pkg) == 0) return;
  for (let bucket: u32 = 0; bucket < bucketCount(); ++bucket) {
    let view = bucketHead(bucket);
    while (view != 0) {
      const next = <usize>load<u32>(view, NEXT);
      const held = validIn(view, pkg);
      if (held != 0) drainView(view, held & load<u64>(view, DIRTY), cause, drop);
      if (drop && held != 0) {
        dropFrom(view, pkg, held);
        settle(view);
      }
      view = next;
    }
  }
}

function drainView(view: usize, dirty: u64, cause: i32, drop: bool): void {
  count(COUNTER_WBINVD_LINES, <u64>popcnt(dirty));
  if (dirty == ~(<u64>0) && drainPage(view, cause, drop)) return;
  for (let bits = dirty; bits != 0; bits &= bits - 1) writeBack(view, <u32>ctz(bits), cause);
}

/** A page with all lines dirty: its data change hands instead of being copied when the view goes away. */
function drainPage(view: usize, cause: i32, drop: bool): bool {
  if (eager || load<u64>(view, POISONED) != 0) return false;
  reserve();
  const frame = frameOf(view);
  const tag = expectedTag(homeOf(frame), keyIdOf(view));
  if (tag == 0) return false;
  const desc = pageDescriptor(frame);
  const writer = load<u32>(view, VIEW_WRITER);
  const writers = <usize>load<u32>(view, WRITERS);
  const data = <usize>load<u32>(view, DATA);
  count(COUNTER_WRITE_BACKS, 64);
  count(COUNTER_CONTROLLER_WRITES, 64);
  displacePage(desc, frame, tag, writer, writers, cause);
  if (data != 0) {
    putPage(desc, handOver(view, data, drop), tag, writer, writers);
  } else if (writers == 0) {
    setFill(desc, tag, writer, load<u64>(view, PATTERN));
    collapseAbove(frame);
  } else {
    const page = take(dataPages);
    for (let at: usize = 0; at < 4096; at += 8) store<u64>(page + at, load<u64>(view, PATTERN));
    putPage(desc, page, tag, writer, writers);
  }
  store<u64>(view, 0, DIRTY);
  return true;
}

function handOver(view: usize, data: usize, drop: bool): usize {
  if (drop) {
    store<u32>(view, 0, DATA);
    return data;
  }
  const copy = take(dataPages);
  memory.copy(copy, data, 4096);
  return copy;
}

export function wbinvd(pkg: u32): void {
  drain(pkg, CAUSE_WBINVD, true);
}

export function wbnoinvd(pkg: u32): void {
  drain(pkg, CAUSE_WBNOINVD, false);
}
