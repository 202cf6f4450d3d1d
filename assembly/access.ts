/** Loads and stores of software through a package's cache, over any range. */
import { give, reserve, take } from './arena';
import { cachedBytes, dropFromOthers, fillMiss, isPoisoned } from './cache';
import { cacheSets, hasIntegrity, lru, packages, provenance, tdBitOn } from './config';
import { count } from './counters';
import { touch } from './directory';
import { currentWriter } from './events';
import { homeOf } from './homes';
import { expectedTag } from './keys';
import { fillLine, lineNumber } from './lines';
import { patternLine } from './memory-map';
import { cachedFault } from './origins';
import { lineWriter } from './page';
import { dataPages, writerBlocks } from './slabs';
import {
  COUNTER_CONTROLLER_READS,
  COUNTER_LINES_READ,
  COUNTER_LINES_WRITTEN,
  COUNTER_MAC_CHECKS,
  COUNTER_SPECULATIVE_LOADS,
  COUNTER_TD_BIT_CHECKS,
} from './spec/counters';
import { FILL, KIND_SHIFT, MIXED, TAG } from './tags';
import { findDescriptor, HIGH, kindOf, LOW, WRITER } from './tree';
import {
  changeHeld,
  createView,
  DATA,
  DIRTY,
  findView,
  lineData,
  PATTERN,
  setValid,
  setViewWriter,
  VIEW_WRITER,
  validAnywhere,
  validIn,
  WRITERS,
} from './views';

/** The view in which `pkg` holds the line for reading. */
export function holdLine(pkg: u32, frame: u64, index: u32, keyId: u32): usize {
  const view = findView(frame, keyId);
  if (view == 0 || (validIn(view, pkg) & ((<u64>1) << index)) == 0) return fillMiss(pkg, frame, index, keyId, false);
  if (lru) touch(pkg, lineNumber(frame, index), keyId);
  return view;
}

/** The view in which `pkg` alone holds the line. */
function ownLine(pkg: u32, frame: u64, index: u32, keyId: u32): usize {
  const bit = (<u64>1) << index;
  const view = findView(frame, keyId);
  if (view == 0 || (validIn(view, pkg) & bit) == 0) return fillMiss(pkg, frame, index, keyId, true);
  if (lru) touch(pkg, lineNumber(frame, index), keyId);
  if (packages > 1) dropFromOthers(view, pkg, bit);
  return view;
}

function bitsFrom(index: u32, lines: u32): u64 {
  return (lines == 64 ? ~(<u64>0) : ((<u64>1) << lines) - 1) << index;
}

/** Whole lines that follow `pa` in its page and in the range, when it starts on a line. */
function wholeLines(pa: u64, length: u64): u32 {
  if ((pa & 63) != 0) return 0;
  return <u32>(min<u64>(length, 4096 - (pa & 4095)) >> 6);
}

/** Are all these lines of the page good for a reader that expects `tag`? Then a read only copies. */
function allGood(desc: usize, lines: u64, tag: u32): bool {
  const word = load<u32>(desc);
  if (word >> KIND_SHIFT != MIXED) return (word & TAG) == tag;
  const tags = <usize>load<u32>(desc, HIGH);
  for (let bits = lines; bits != 0; bits &= bits - 1) if (load<u32>(tags + ((<usize>ctz(bits)) << 2)) != tag) return false;
  return true;
}

function countReads(lines: u64, keyId: u32): void {
  const n = <u64>popcnt(lines);
  count(COUNTER_CONTROLLER_READS, n);
  if (tdBitOn) count(COUNTER_TD_BIT_CHECKS, n);
  if (hasIntegrity(keyId)) count(COUNTER_MAC_CHECKS, n);
}

/**
 * Unbounded caches only: gets all `lines` of a page at once where no check can fail and no other package holds one.
 * `overwritten`: the bytes do not matter. Returns the view, or 0 when the lines must be taken one by one.
 */
function holdLines(pkg: u32, frame: u64, lines: u64, keyId: u32, overwritten: bool): usize {
  let view = findView(frame, keyId);
  const missing = view == 0 ? lines : lines & ~validIn(view, pkg);
  if (missing == 0) return lru ? 0 : view;
  if (cacheSets != 0) return 0;
  if (view != 0 && (validAnywhere(view) & missing) != 0) return 0;
  // A load stops at a poisoned line and does not touch the ones behind it.
  if (view != 0 && isPoisoned(view, lines)) return 0;
  reserve();
  const tag = expectedTag(homeOf(frame), keyId);
  const desc = findDescriptor(frame);
  if (tag == 0 || !allGood(desc, missing, tag)) return 0;
  if (view == 0) view = createView(frame, keyId);
  countReads(missing, keyId);
  if (!overwritten) copyLines(view, desc, missing);
  setValid(view, pkg, validIn(view, pkg) | missing);
  changeHeld(pkg, popcnt<i64>(<i64>missing));
  return view;
}

function copyLines(view: usize, desc: usize, lines: u64): void {
  const held = validAnywhere(view);
  const kind = kindOf(desc);
  if (kind == FILL) copyPattern(view, load<u64>(desc, LOW), lines, held);
  else copyData(view, load<u32>(desc, LOW), lines, held);
  if (!provenance) return;
  if (held == 0 && kind != MIXED) store<u32>(view, load<u32>(desc, WRITER), VIEW_WRITER);
  else {
    let have = held;
    for (let bits = lines; bits != 0; bits &= bits - 1) {
      const index = <u32>ctz(bits);
      setViewWriter(view, index, lineWriter(desc, index), have);
      have |= (<u64>1) << index;
    }
  }
}

function copyPattern(view: usize, pattern: u64, lines: u64, held: u64): void {
  if (load<u32>(view, DATA) == 0) {
    if (held == 0) store<u64>(view, pattern, PATTERN);
    if (load<u64>(view, PATTERN) == pattern) return;
  }
  for (let bits = lines; bits != 0; bits &= bits - 1) fillLine(lineData(view, <u32>ctz(bits)), pattern);
}

function copyData(view: usize, from: usize, lines: u64, held: u64): void {
  if (load<u32>(view, DATA) == 0 && held == 0) store<u32>(view, <u32>take(dataPages), DATA);
  for (let bits = lines; bits != 0; ) {
    const first = <u32>ctz(bits);
    const run = <u32>ctz(~(bits >> first));
    memory.copy(lineData(view, first), from + ((<usize>first) << 6), (<usize>run) << 6);
    bits &= ~bitsFrom(first, run);
  }
}

/** 1 when it stopped at a poisoned line (see the fault record), else 0. */
export function loadRange(pkg: u32, from: u64, length: u32, keyId: u32, to: usize): i32 {
  let pa = from;
  let left = length;
  let out = to;
  while (left != 0) {
    const lines = wholeLines(pa, left);
    const index = <u32>(pa >> 6) & 63;
    const bits = bitsFrom(index, lines);
    const view = lines > 1 ? holdLines(pkg, pa >> 12, bits, keyId, false) : 0;
    let chunk = lines << 6;
    if (view != 0 && !isPoisoned(view, bits)) {
      count(COUNTER_LINES_READ, lines);
      const data = <usize>load<u32>(view, DATA);
      if (data != 0) memory.copy(out, data + ((<usize>index) << 6), chunk);
      else copyPatternOut(out, load<u64>(view, PATTERN), lines);
    } else {
      chunk = min<u32>(left, 64 - (<u32>pa & 63));
      if (!loadLine(pkg, pa, chunk, keyId, out)) return 1;
    }
    pa += chunk;
    out += chunk;
    left -= chunk;
  }
  return 0;
}

function copyPatternOut(to: usize, pattern: u64, lines: u32): void {
  if (pattern == 0) memory.fill(to, 0, lines << 6);
  else for (let i: u32 = 0; i < lines; ++i) fillLine(to + (i << 6), pattern);
}

function loadLine(pkg: u32, pa: u64, length: u32, keyId: u32, to: usize): bool {
  const frame = pa >> 12;
  const index = <u32>(pa >> 6) & 63;
  const view = holdLine(pkg, frame, index, keyId);
  count(COUNTER_LINES_READ);
  if (isPoisoned(view, (<u64>1) << index)) {
    cachedFault(lineNumber(frame, index), keyId);
    return false;
  }
  memory.copy(to, cachedBytes(view, index) + (<usize>pa & 63), length);
  return true;
}

export function speculate(pkg: u32, pa: u64, keyId: u32): void {
  count(COUNTER_SPECULATIVE_LOADS);
  holdLine(pkg, pa >> 12, <u32>(pa >> 6) & 63, keyId);
}

/** Cached store of bytes at `source`. */
export function storeRange(pkg: u32, to: u64, length: u32, keyId: u32, source: usize): void {
  let pa = to;
  let left = length;
  let from = source;
  while (left != 0) {
    const lines = wholeLines(pa, left);
    const index = <u32>(pa >> 6) & 63;
    const view = lines > 1 ? ownLines(pkg, pa >> 12, bitsFrom(index, lines), keyId) : 0;
    let chunk = lines << 6;
    if (view != 0) {
      if (load<u32>(view, DATA) == 0 && lines == 64) store<u32>(view, <u32>take(dataPages), DATA);
      memory.copy(lineData(view, index), from, chunk);
    } else {
      chunk = min<u32>(left, 64 - (<u32>pa & 63));
      memory.copy(storeLine(pkg, pa, keyId), from, chunk);
    }
    pa += chunk;
    from += chunk;
    left -= chunk;
  }
}

/** Cached store of a repeated pattern; start and length are multiples of 8. */
export function storePattern(pkg: u32, to: u64, length: u64, keyId: u32, pattern: u64): void {
  let pa = to;
  let left = length;
  while (left != 0) {
    const lines = wholeLines(pa, left);
    const index = <u32>(pa >> 6) & 63;
    const view = lines > 1 ? ownLines(pkg, pa >> 12, bitsFrom(index, lines), keyId) : 0;
    let chunk = (<u64>lines) << 6;
    if (view == 0) {
      chunk = min<u64>(left, 64 - (pa & 63));
      fillLine(patternLine, pattern);
      const at = storeLine(pkg, pa, keyId);
      for (let i: usize = 0; i < <usize>chunk; i += 8) store<u64>(at + i, pattern);
    } else if (lines == 64) {
      if (load<u32>(view, DATA) != 0) give(dataPages, load<u32>(view, DATA));
      store<u32>(view, 0, DATA);
      store<u64>(view, pattern, PATTERN);
    } else {
      const at = lineData(view, index);
      for (let i: u32 = 0; i < lines; ++i) fillLine(at + (i << 6), pattern);
    }
    pa += chunk;
    left -= chunk;
  }
}

/** Owns whole lines of a page that are about to be overwritten, as far as no check can fail; 0: take them one by one. */
function ownLines(pkg: u32, frame: u64, lines: u64, keyId: u32): usize {
  reserve();
  const view = holdLines(pkg, frame, lines, keyId, true);
  if (view == 0) return 0;
  if (packages > 1) dropFromOthers(view, pkg, lines);
  count(COUNTER_LINES_WRITTEN, <u64>popcnt(lines));
  setWriters(view, lines);
  store<u64>(view, load<u64>(view, DIRTY) | lines, DIRTY);
  return view;
}

function setWriters(view: usize, lines: u64): void {
  if (!provenance) return;
  const writer = currentWriter();
  const all = validAnywhere(view);
  if ((all & ~lines) == 0) {
    if (load<u32>(view, WRITERS) != 0) give(writerBlocks, load<u32>(view, WRITERS));
    store<u32>(view, 0, WRITERS);
    store<u32>(view, writer, VIEW_WRITER);
    return;
  }
  for (let bits = lines; bits != 0; bits &= bits - 1) setViewWriter(view, <u32>ctz(bits), writer, all);
}

/** Owns one line and marks it stored to; returns where its bytes go. */
function storeLine(pkg: u32, pa: u64, keyId: u32): usize {
  reserve();
  const index = <u32>(pa >> 6) & 63;
  const bit = (<u64>1) << index;
  const view = ownLine(pkg, pa >> 12, index, keyId);
  count(COUNTER_LINES_WRITTEN);
  setViewWriter(view, index, currentWriter(), validAnywhere(view));
  store<u64>(view, load<u64>(view, DIRTY) | bit, DIRTY);
  return lineData(view, index) + (<usize>pa & 63);
}

/** Old value of a compare-and-exchange, left at `to`; 1 when the line is poisoned. */
export function exchange(pkg: u32, pa: u64, keyId: u32, expected: u64, desired: u64, to: usize): i32 {
  if (loadRange(pkg, pa, 8, keyId, to) != 0) return 1;
  if (load<u64>(to) == expected) store<u64>(storeLine(pkg, pa, keyId), desired);
  return 0;
}
