/** Stores past the caches, and DMA reads: a line, or any range. */

import { allGood, bitsFrom, countReads, loadLine, wholeLines } from './access';
import { take, tryReserve } from './arena';
import { isDirty, writeBack } from './cache';
import { eager } from './config';
import { readLine, writeLine, writePartial, writeTag } from './controller';
import { count } from './counters';
import { writerNow } from './events';
import { DISCARD, flushLine, flushView } from './flush';
import { homeOf } from './homes';
import { tryExpectedTag } from './keys';
import { CAUSE_DMA, CAUSE_MOVDIR64B, CAUSE_SNOOP } from './layout';
import { copyPiece } from './lines';
import { mergeLine, probeLine } from './memory-map';
import { dramFault } from './origins';
import { putPage } from './page';
import { prepareFrame, resolveRange, tryResolveFrame } from './pending';
import { Quick } from './quick';
import { displacePage, fillRange } from './range-fill';
import { dataPages } from './slabs';
import { addPatternSpan, addSpan, beginPlan, copyIn, copyOut, endPlan, hasSpan } from './spans';
import { COUNTER_CONTROLLER_WRITES, COUNTER_LINES_WRITTEN, COUNTER_MOVDIR64B_LINES } from './spec/counters';
import { DATA, FILL, KIND_SHIFT, MIXED, SPARSE } from './tags';
import { findDescriptor, kindOf, LOW, pageDescriptor, span, WRITER } from './tree';
import { NO_FRAME, nextFrame } from './view-index';
import { findView, viewCount } from './views';
import { storedPages } from './whole-pages';

/** MOVDIR64B of one line. */
export function directLine(line: u64, keyId: u32, from: usize): void {
  if (!Quick.direct(line, keyId, from)) directSlowly(line, keyId, from);
}

function directSlowly(line: u64, keyId: u32, from: usize): void {
  prepareFrame(line >> 6);
  flushLine(line, keyId, DISCARD);
  count(COUNTER_MOVDIR64B_LINES);
  count(COUNTER_LINES_WRITTEN);
  writeLine(line >> 6, <u32>line & 63, writeTag(homeOf(line >> 6), keyId), from, CAUSE_MOVDIR64B, writerNow);
}

export function movdir64bFill(line: u64, lines: u64, keyId: u32, pattern: u64): void {
  if (lines == 0) return;
  resolveRange(line >> 6, ((line + lines - 1) >> 6) + 1);
  fillRange(line, lines, keyId, pattern);
}

/** 1 when a source line was poisoned: it and the lines behind it are not copied. */
export function movdir64bCopy(pkg: u32, target: u64, targetKeyId: u32, source: u64, sourceKeyId: u32, lines: u64): i32 {
  for (let i: u64 = 0; i < lines; ++i) {
    if (loadLine(pkg, (source + i) << 6, 64, sourceKeyId, probeLine) != 0) return 1;
    directLine(target + i, targetKeyId, probeLine);
  }
  return 0;
}

/** MOVNTI, UC/WC store or DMA within one line; a full line counts as combined. */
export function directPiece(cause: i32, pa: u64, length: u32, keyId: u32, from: usize): void {
  const line = pa >> 6;
  if (cause == CAUSE_MOVDIR64B) {
    directLine(line, keyId, from);
    return;
  }
  prepareFrame(line >> 6);
  flushLine(line, keyId, length == 64 ? DISCARD : CAUSE_SNOOP);
  if (cause != CAUSE_DMA) count(COUNTER_LINES_WRITTEN);
  const frame = line >> 6;
  const index = <u32>line & 63;
  if (length == 64) writeLine(frame, index, writeTag(homeOf(frame), keyId), from, cause, writerNow);
  else writePartial(frame, index, keyId, from, <u32>pa & 63, length, cause, writerNow);
}

/** Direct stores over any range. */
export function directRange(cause: i32, to: u64, length: u64, keyId: u32, source: usize): void {
  let pa = to;
  let from = source;
  const end = to + length;
  while (pa < end) {
    const planned = planDirect(cause, pa, end - pa, keyId);
    copyIn(from);
    pa += planned;
    from += <usize>planned;
    if (pa == end) break;
    const chunk = <u32>min<u64>(end - pa, 64 - (pa & 63));
    directPiece(cause, pa, chunk, keyId, from);
    pa += chunk;
    from += chunk;
  }
}

/** Tags of whole lines from `to` on, as far as they go by pages; the bytes belong where the spans say. Like planStore it does not abort. */
export function planDirect(cause: i32, to: u64, length: u64, keyId: u32): u64 {
  beginPlan(length);
  let pa = to;
  const end = to + length;
  while (!eager && pa < end) {
    pa = storedPages(pa, end, keyId, true);
    const lines = wholeLines(pa, end - pa);
    if (lines == 0 || !hasSpan() || !tryResolveFrame(pa >> 12)) break;
    const page = writablePage(pa >> 12, bitsFrom(<u32>(pa >> 6) & 63, lines), keyId, cause);
    if (page == 0) break;
    addSpan(page + (<usize>pa & 4095), lines << 6);
    pa += lines << 6;
  }
  endPlan();
  const lines = (pa - to) >> 6;
  count(COUNTER_CONTROLLER_WRITES, lines);
  if (cause == CAUSE_MOVDIR64B) count(COUNTER_MOVDIR64B_LINES, lines);
  if (cause != CAUSE_DMA) count(COUNTER_LINES_WRITTEN, lines);
  return pa - to;
}

/** The page's data after a write of these lines: one tag and one writer throughout. 0: take them one by one. */
function writablePage(frame: u64, lines: u64, keyId: u32, cause: i32): usize {
  const tag = tryExpectedTag(homeOf(frame), keyId);
  if (tag == 0) return 0;
  const view: usize = viewCount == 0 ? 0 : findView(frame, keyId);
  const writer = writerNow;
  let desc = findDescriptor(frame);
  const asBefore = load<u32>(desc) == (tag | (DATA << KIND_SHIFT)) && load<u32>(desc, WRITER) == writer;
  if (!asBefore && lines != ~(<u64>0)) return 0;
  if (!asBefore && !tryReserve()) return 0;
  if (view != 0) flushView(view, lines, DISCARD);
  if (asBefore) return load<u32>(desc, LOW);
  desc = pageDescriptor(frame);
  displacePage(desc, frame, tag, writer, 0, cause);
  const page = take(dataPages);
  putPage(desc, page, tag, writer, 0);
  return page;
}

/** DMA read; 1 when it met poison. */
export function dmaRead(from: u64, length: u64, keyId: u32, to: usize): i32 {
  let pa = from;
  let out = to;
  const end = from + length;
  while (pa < end) {
    const planned = planDma(pa, end - pa, keyId);
    copyOut(out);
    pa += planned;
    out += <usize>planned;
    if (pa == end) break;
    const chunk = <u32>min<u64>(end - pa, 64 - (pa & 63));
    if (dmaPiece(pa, chunk, keyId, out) != 0) return 1;
    pa += chunk;
    out += chunk;
  }
  return 0;
}

/** DMA read within one line. */
export function dmaPiece(pa: u64, length: u32, keyId: u32, to: usize): i32 {
  const hit = Quick.read(pa >> 6, keyId);
  if (hit != 0) {
    countReads(1, keyId);
    copyPiece(to, hit + (<usize>pa & 63), length);
    return 0;
  }
  if (readPast(pa >> 6, keyId)) return 1;
  copyPiece(to, mergeLine + (<usize>pa & 63), length);
  return 0;
}

/** One line at the controller, into the scratch line; a dirty copy of the same tag is written back first. True: poison. */
function readPast(line: u64, keyId: u32): bool {
  prepareFrame(line >> 6);
  const index = <u32>line & 63;
  const view = findView(line >> 6, keyId);
  if (view != 0 && isDirty(view, (<u64>1) << index)) writeBack(view, index, CAUSE_SNOOP);
  if (!readLine(line >> 6, index, keyId, mergeLine)) return false;
  dramFault(line, keyId);
  return true;
}

/** Checks whole lines from `from` on, as far as all are good: the bytes lie where the spans say. */
export function planDma(from: u64, length: u64, keyId: u32): u64 {
  beginPlan(0);
  let pa = from;
  const end = from + length;
  while (pa < end) {
    pa = storedPages(pa, end, keyId, false);
    const lines = wholeLines(pa, end - pa);
    if (lines == 0) break;
    const desc = readablePage(pa >> 12, bitsFrom(<u32>(pa >> 6) & 63, lines), keyId);
    if (desc == 0) break;
    const kind = kindOf(desc);
    if (kind == SPARSE) break;
    if (kind == FILL) {
      if (!addPatternSpan(load<u64>(desc, LOW), lines << 6)) break;
    } else if (!addSpan(<usize>load<u32>(desc, LOW) + (<usize>pa & 4095), lines << 6)) {
      break;
    }
    pa += lines << 6;
  }
  countReads((pa - from) >> 6, keyId);
  return pa - from;
}

/** The page's descriptor when each of these lines is good for the KeyID and no copy is dirty, else 0. */
function readablePage(frame: u64, lines: u64, keyId: u32): usize {
  const tag = tryExpectedTag(homeOf(frame), keyId);
  if (tag == 0) return 0;
  const view: usize = viewCount == 0 ? 0 : findView(frame, keyId);
  if (view != 0 && isDirty(view, lines)) return 0;
  const desc = findDescriptor(frame);
  return allGood(desc, lines, tag) ? desc : 0;
}

/** One line of {@link checkRange}. */
export function checkLine(line: u64, keyId: u32): i32 {
  if (Quick.read(line, keyId) == 0) {
    // Another time it is known whether the page is cached.
    findView(line >> 6, keyId);
    return checkRange(line, line + 1, keyId);
  }
  countReads(1, keyId);
  return 0;
}

/** DMA reads whose bytes nobody takes: uniform ranges cost one step a descriptor. 1 when it met poison. */
export function checkRange(line: u64, end: u64, keyId: u32): i32 {
  let at = line;
  // First frame from `at` on that has cached lines.
  let cachedFrom: u64 = 0;
  while (at < end) {
    const frame = at >> 6;
    if (frame >= cachedFrom) cachedFrom = viewCount == 0 ? NO_FRAME : nextFrame(frame);
    const good = frame < cachedFrom ? goodLines(at, min<u64>(end, cachedFrom << 6), keyId) : goodInPage(at, end, keyId);
    countReads(good, keyId);
    at += good;
    if (at == end) break;
    if (good != 0) continue;
    if (readPast(at, keyId)) return 1;
    at += 1;
  }
  return 0;
}

/** Lines from `line` on, none of them cached, as far as one descriptor answers for them and all are good. */
function goodLines(line: u64, end: u64, keyId: u32): u64 {
  const frame = line >> 6;
  const tag = tryExpectedTag(homeOf(frame), keyId);
  if (tag == 0) return 0;
  const desc = findDescriptor(frame);
  const size = (<u64>1) << span;
  const lines = min<u64>(end, ((frame & ~(size - 1)) + size) << 6) - line;
  return allGood(desc, kindOf(desc) < MIXED ? 1 : bitsFrom(<u32>line & 63, <u32>lines), tag) ? lines : 0;
}

/** The same in a page that has cached lines: a dirty copy needs to be looked at. */
function goodInPage(line: u64, end: u64, keyId: u32): u64 {
  const lines = min<u64>(end, (line | 63) + 1) - line;
  return readablePage(line >> 6, bitsFrom(<u32>line & 63, <u32>lines), keyId) != 0 ? lines : 0;
}
