/** Loads and stores of software through a package's cache: one line, or any range. */
import { give, reserve, tryReserve } from './arena';
import { dropFromOthers, fillMiss, isPoisoned, share, takeOver } from './cache';
import { cacheSets, hasIntegrity, lru, packages, provenance, tdBitOn } from './config';
import { count } from './counters';
import { touch } from './directory';
import { writerNow } from './events';
import { homeOf } from './homes';
import { expectedTag } from './keys';
import { copyPiece, fillLine, lineNumber } from './lines';
import { cachedFault } from './origins';
import { lineTag, lineWriter, readStored } from './page';
import { tryResolveFrame } from './pending';
import { Quick } from './quick';
import { SPARSE_LINES, writerBlocks } from './slabs';
import { addPatternSpan, addSpan, beginPlan, copyIn, copyOut, endPlan, hasSpan } from './spans';
import {
  COUNTER_BYTES_COPIED,
  COUNTER_CONTROLLER_READS,
  COUNTER_LINES_READ,
  COUNTER_LINES_WRITTEN,
  COUNTER_MAC_CHECKS,
  COUNTER_SPECULATIVE_LOADS,
  COUNTER_TAGS_COMPARED,
  COUNTER_TD_BIT_CHECKS,
} from './spec/counters';
import { FILL, KIND_SHIFT, MIXED, SPARSE, TAG } from './tags';
import { findDescriptor, kindOf, LOW, WRITER } from './tree';
import {
  cachedBytes,
  changeHeld,
  createView,
  DATA,
  DIRTY,
  dataPage,
  findView,
  freeData,
  lineData,
  makeDataPage,
  PATTERN,
  setValid,
  setViewWriter,
  takeDataPage,
  VIEW_WRITER,
  validAnywhere,
  validIn,
  WRITERS,
} from './views';
import { heldPages } from './whole-pages';

/** The view in which `pkg` holds the line for reading. */
export function holdLine(pkg: u32, frame: u64, index: u32, keyId: u32): usize {
  const bit = (<u64>1) << index;
  const view = findView(frame, keyId);
  if (view == 0 || (validIn(view, pkg) & bit) == 0) {
    if (view == 0 || cacheSets != 0 || (validAnywhere(view) & bit) == 0) return fillMiss(pkg, frame, index, keyId, false);
    share(view, pkg, index);
    return view;
  }
  if (lru) touch(pkg, lineNumber(frame, index), keyId);
  return view;
}

/** The view in which `pkg` alone holds the line, with room for what a store does to it. */
function ownLine(pkg: u32, frame: u64, index: u32, keyId: u32): usize {
  const bit = (<u64>1) << index;
  const view = findView(frame, keyId);
  reserve();
  if (view == 0 || (validIn(view, pkg) & bit) == 0) {
    if (view == 0 || cacheSets != 0 || (validAnywhere(view) & bit) == 0) return fillMiss(pkg, frame, index, keyId, true);
    takeOver(view, pkg, bit);
    return view;
  }
  if (lru) touch(pkg, lineNumber(frame, index), keyId);
  if (packages > 1) dropFromOthers(view, pkg, bit);
  return view;
}

/** Loads at most what is left of one line; 1 when it is poisoned. */
export function loadLine(pkg: u32, pa: u64, length: u32, keyId: u32, to: usize): i32 {
  const hit = Quick.load(pkg, pa, keyId);
  if (hit == 0) return loadSlowly(pkg, pa, length, keyId, to);
  copyPiece(to, hit, length);
  return 0;
}

/** A load that {@link Quick.load} did not do. */
export function loadSlowly(pkg: u32, pa: u64, length: u32, keyId: u32, to: usize): i32 {
  const frame = pa >> 12;
  const index = <u32>(pa >> 6) & 63;
  const view = holdLine(pkg, frame, index, keyId);
  count(COUNTER_LINES_READ);
  if (isPoisoned(view, (<u64>1) << index)) {
    cachedFault(lineNumber(frame, index), keyId);
    return 1;
  }
  copyPiece(to, cachedBytes(view, index) + (<usize>pa & 63), length);
  return 0;
}

export function speculate(pkg: u32, pa: u64, keyId: u32): void {
  count(COUNTER_SPECULATIVE_LOADS);
  holdLine(pkg, pa >> 12, <u32>(pa >> 6) & 63, keyId);
}

/** Owns one line and marks it stored to; returns where its bytes go. */
export function storeLine(pkg: u32, pa: u64, keyId: u32): usize {
  const hit = Quick.store(pkg, pa, keyId);
  return hit != 0 ? hit : storeSlowly(pkg, pa, keyId);
}

/** A store that {@link Quick.store} did not do. */
export function storeSlowly(pkg: u32, pa: u64, keyId: u32): usize {
  const index = <u32>(pa >> 6) & 63;
  const bit = (<u64>1) << index;
  const view = ownLine(pkg, pa >> 12, index, keyId);
  count(COUNTER_LINES_WRITTEN);
  setViewWriter(view, index, writerNow, validAnywhere(view));
  store<u64>(view, load<u64>(view, DIRTY) | bit, DIRTY);
  return lineData(view, index) + (<usize>pa & 63);
}

/** Was every line of the view written by the current event? */
function isWriter(view: usize): bool {
  return !provenance || (load<u32>(view, WRITERS) == 0 && load<u32>(view, VIEW_WRITER) == writerNow);
}

/** Old value of a compare-and-exchange, left at `to`; 1 when the line is poisoned. */
export function exchange(pkg: u32, pa: u64, keyId: u32, expected: u64, desired: u64, to: usize): i32 {
  if (loadLine(pkg, pa, 8, keyId, to) != 0) return 1;
  if (load<u64>(to) == expected) store<u64>(storeLine(pkg, pa, keyId), desired);
  return 0;
}

export function bitsFrom(index: u32, lines: u32): u64 {
  return (lines == 64 ? ~(<u64>0) : ((<u64>1) << lines) - 1) << index;
}

/** Whole lines that follow `pa` in its page and in the range, when it starts on a line. */
export function wholeLines(pa: u64, length: u64): u32 {
  if ((pa & 63) != 0) return 0;
  return <u32>(min<u64>(length, 4096 - (pa & 4095)) >> 6);
}

/** Are all these lines of the page good for a reader that expects `tag`? Then a read only copies. */
export function allGood(desc: usize, lines: u64, tag: u32): bool {
  const word = load<u32>(desc);
  const kind = word >> KIND_SHIFT;
  count(COUNTER_TAGS_COMPARED, kind < MIXED ? 1 : <u64>popcnt(lines));
  if (kind < MIXED) return (word & TAG) == tag;
  for (let bits = lines; bits != 0; bits &= bits - 1) if (lineTag(desc, <u32>ctz(bits)) != tag) return false;
  return true;
}

export function countReads(lines: u64, keyId: u32): void {
  count(COUNTER_CONTROLLER_READS, lines);
  if (tdBitOn) count(COUNTER_TD_BIT_CHECKS, lines);
  if (hasIntegrity(keyId)) count(COUNTER_MAC_CHECKS, lines);
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
  if (!tryReserve()) return 0;
  const tag = expectedTag(homeOf(frame), keyId);
  const desc = findDescriptor(frame);
  if (tag == 0 || !allGood(desc, missing, tag)) return 0;
  if (view == 0) view = createView(frame, keyId);
  countReads(<u64>popcnt(missing), keyId);
  if (!overwritten) copyLines(view, desc, missing);
  setValid(view, pkg, validIn(view, pkg) | missing);
  changeHeld(frame, pkg, popcnt<i64>(<i64>missing));
  return view;
}

function copyLines(view: usize, desc: usize, lines: u64): void {
  const held = validAnywhere(view);
  const kind = kindOf(desc);
  if (kind == FILL) copyPattern(view, load<u64>(desc, LOW), lines, held);
  else if (kind == SPARSE) copySparse(view, desc, lines);
  else copyData(view, load<u32>(desc, LOW), lines, held);
  if (!provenance) return;
  if (held == 0 && kind < MIXED) {
    store<u32>(view, load<u32>(desc, WRITER), VIEW_WRITER);
    return;
  }
  let have = held;
  for (let bits = lines; bits != 0; bits &= bits - 1) {
    const index = <u32>ctz(bits);
    setViewWriter(view, index, lineWriter(desc, index), have);
    have |= (<u64>1) << index;
  }
}

function copyPattern(view: usize, pattern: u64, lines: u64, held: u64): void {
  if (load<u32>(view, DATA) == 0) {
    if (held == 0) store<u64>(view, pattern, PATTERN);
    if (load<u64>(view, PATTERN) == pattern) return;
  }
  for (let bits = lines; bits != 0; bits &= bits - 1) fillLine(lineData(view, <u32>ctz(bits)), pattern);
}

function copySparse(view: usize, desc: usize, lines: u64): void {
  for (let bits = lines; bits != 0; bits &= bits - 1) readStored(desc, <u32>ctz(bits), lineData(view, <u32>ctz(bits)));
}

function copyData(view: usize, from: usize, lines: u64, held: u64): void {
  const page = held == 0 ? takeDataPage(view) : dataPage(view) != 0 ? dataPage(view) : makeDataPage(view);
  for (let bits = lines; bits != 0; ) {
    const first = <u32>ctz(bits);
    const run = <u32>ctz(~(bits >> first));
    memory.copy(page + ((<usize>first) << 6), from + ((<usize>first) << 6), (<usize>run) << 6);
    count(COUNTER_BYTES_COPIED, run << 6);
    bits &= ~bitsFrom(first, run);
  }
}

/** Lines that do not make a page worth having: they go into a sparse block. */
function isFew(view: usize, lines: u32): bool {
  return lines <= SPARSE_LINES && (view == 0 || dataPage(view) == 0);
}

/**
 * Reads as many bytes of the range as can be copied in whole lines: they lie where the spans say. Stops early, also at once, where
 * a line needs to be looked at for itself.
 */
export function planLoad(pkg: u32, from: u64, length: u64, keyId: u32): u64 {
  beginPlan(length);
  let pa = from;
  const end = from + length;
  while (pa < end) {
    pa = heldPages(pkg, pa, end, keyId, false);
    const lines = wholeLines(pa, end - pa);
    if (lines == 0 || !tryResolveFrame(pa >> 12)) break;
    const bits = bitsFrom(<u32>(pa >> 6) & 63, lines);
    let view = findView(pa >> 12, keyId);
    if (isFew(view, lines)) break;
    if (view == 0 || lru || (validIn(view, pkg) & bits) != bits) view = holdLines(pkg, pa >> 12, bits, keyId, false);
    if (view == 0 || isPoisoned(view, bits)) break;
    const page = dataPage(view);
    if (page != 0) {
      if (!addSpan(page + (<usize>pa & 4095), lines << 6)) break;
    } else if (load<u32>(view, DATA) != 0 || !addPatternSpan(load<u64>(view, PATTERN), lines << 6)) {
      break;
    }
    pa += lines << 6;
  }
  endPlan();
  count(COUNTER_LINES_READ, (pa - from) >> 6);
  return pa - from;
}

/** 1 when it stopped at a poisoned line (see the fault record), else 0. */
export function loadRange(pkg: u32, from: u64, length: u64, keyId: u32, to: usize): i32 {
  let pa = from;
  let out = to;
  const end = from + length;
  while (pa < end) {
    const planned = planLoad(pkg, pa, end - pa, keyId);
    copyOut(out);
    pa += planned;
    out += <usize>planned;
    if (pa == end) break;
    const chunk = <u32>min<u64>(end - pa, 64 - (pa & 63));
    if (loadLine(pkg, pa, chunk, keyId, out) != 0) return 1;
    pa += chunk;
    out += chunk;
  }
  return 0;
}

/**
 * Stores as many bytes of the range as go by whole lines: whoever asked copies them to where the spans say. It does not abort, for
 * lines that it has taken have no bytes yet: where memory runs out it stops early, also at once.
 */
export function planStore(pkg: u32, to: u64, length: u64, keyId: u32): u64 {
  beginPlan(length);
  let pa = to;
  const end = to + length;
  while (pa < end) {
    pa = heldPages(pkg, pa, end, keyId, true);
    const lines = wholeLines(pa, end - pa);
    if (lines == 0 || !hasSpan() || !tryResolveFrame(pa >> 12)) break;
    const bits = bitsFrom(<u32>(pa >> 6) & 63, lines);
    const hit = findView(pa >> 12, keyId);
    let page: usize = 0;
    if (hit != 0 && (validIn(hit, pkg) & load<u64>(hit, DIRTY) & bits) == bits && isWriter(hit) && !lru) page = dataPage(hit);
    if (page == 0 && !isFew(hit, lines)) page = ownPage(pkg, pa >> 12, bits, keyId);
    if (page == 0) break;
    addSpan(page + (<usize>pa & 4095), lines << 6);
    pa += lines << 6;
  }
  endPlan();
  count(COUNTER_LINES_WRITTEN, (pa - to) >> 6);
  return pa - to;
}

/** The page of data that takes these lines; 0 when they go one by one. */
function ownPage(pkg: u32, frame: u64, lines: u64, keyId: u32): usize {
  const view = ownLines(pkg, frame, lines, keyId);
  if (view == 0) return 0;
  if (lines == ~(<u64>0)) return takeDataPage(view);
  return dataPage(view) != 0 ? dataPage(view) : makeDataPage(view);
}

/** Cached store of bytes at `source`. */
export function storeRange(pkg: u32, to: u64, length: u64, keyId: u32, source: usize): void {
  let pa = to;
  let from = source;
  const end = to + length;
  while (pa < end) {
    const planned = planStore(pkg, pa, end - pa, keyId);
    copyIn(from);
    pa += planned;
    from += <usize>planned;
    if (pa == end) break;
    const chunk = <u32>min<u64>(end - pa, 64 - (pa & 63));
    copyPiece(storeLine(pkg, pa, keyId), from, chunk);
    pa += chunk;
    from += chunk;
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
      const at = storeLine(pkg, pa, keyId);
      for (let i: usize = 0; i < <usize>chunk; i += 8) store<u64>(at + i, pattern);
    } else {
      count(COUNTER_LINES_WRITTEN, lines);
      fillLines(view, index, lines, pattern);
    }
    pa += chunk;
    left -= chunk;
  }
}

function fillLines(view: usize, index: u32, lines: u32, pattern: u64): void {
  if (lines == 64) {
    freeData(view);
    store<u64>(view, pattern, PATTERN);
    return;
  }
  for (let i: u32 = 0; i < lines; ++i) fillLine(lineData(view, index + i), pattern);
}

/** Owns whole lines of a page that are about to be overwritten, as far as no check can fail and there is room; 0: take them one by one. */
function ownLines(pkg: u32, frame: u64, lines: u64, keyId: u32): usize {
  if (!tryResolveFrame(frame) || !tryReserve()) return 0;
  const view = holdLines(pkg, frame, lines, keyId, true);
  if (view == 0) return 0;
  if (packages > 1) dropFromOthers(view, pkg, lines);
  setWriters(view, lines);
  store<u64>(view, load<u64>(view, DIRTY) | lines, DIRTY);
  return view;
}

function setWriters(view: usize, lines: u64): void {
  if (!provenance) return;
  const writer = writerNow;
  const all = validAnywhere(view);
  if ((all & ~lines) == 0) {
    if (load<u32>(view, WRITERS) != 0) give(writerBlocks, load<u32>(view, WRITERS));
    store<u32>(view, 0, WRITERS);
    store<u32>(view, writer, VIEW_WRITER);
    return;
  }
  for (let bits = lines; bits != 0; bits &= bits - 1) setViewWriter(view, <u32>ctz(bits), writer, all);
}
