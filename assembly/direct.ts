/** Stores past the caches, and DMA reads. */

import { loadRange } from './access';
import { reserve } from './arena';
import { isDirty, writeBack } from './cache';
import { readLine, writeLine, writePartial } from './controller';
import { count } from './counters';
import { currentWriter } from './events';
import { flushRange } from './flush';
import { CAUSE_DMA, CAUSE_MOVDIR64B, CAUSE_SNOOP } from './layout';
import { lineNumber } from './lines';
import { mailbox, mergeLine, probeLine } from './memory-map';
import { dramFault } from './origins';
import { fillRange } from './range-fill';
import { COUNTER_LINES_WRITTEN, COUNTER_MOVDIR64B_LINES } from './spec/counters';
import { findView } from './views';

/** No write-back: the direct store replaces the line anyway. */
const DISCARD = -1;

function directLine(line: u64, keyId: u32, from: usize): void {
  reserve();
  flushRange(line, 1, keyId, DISCARD);
  count(COUNTER_MOVDIR64B_LINES);
  count(COUNTER_LINES_WRITTEN);
  writeLine(line >> 6, <u32>line & 63, keyId, from, false, CAUSE_MOVDIR64B, currentWriter());
}

export function movdir64b(line: u64, keyId: u32): void {
  directLine(line, keyId, mailbox);
}

export function movdir64bFill(line: u64, lines: u64, keyId: u32, pattern: u64): void {
  reserve();
  flushRange(line, lines, keyId, DISCARD);
  count(COUNTER_MOVDIR64B_LINES, lines);
  count(COUNTER_LINES_WRITTEN, lines);
  fillRange(line, lines, keyId, pattern, CAUSE_MOVDIR64B, currentWriter());
}

/** 1 when a source line was poisoned: it and the lines behind it are not copied. */
export function movdir64bCopy(pkg: u32, target: u64, targetKeyId: u32, source: u64, sourceKeyId: u32, lines: u64): i32 {
  for (let i: u64 = 0; i < lines; ++i) {
    if (loadRange(pkg, (source + i) << 6, 64, sourceKeyId, probeLine) != 0) return 1;
    directLine(target + i, targetKeyId, probeLine);
  }
  return 0;
}

/** MOVNTI, UC/WC store or DMA of the mailbox's bytes; a full line counts as combined. */
export function directStore(cause: i32, to: u64, length: u32, keyId: u32): void {
  let pa = to;
  let from = mailbox;
  let left = length;
  while (left != 0) {
    const offset = <u32>pa & 63;
    const chunk = min<u32>(left, 64 - offset);
    const line = pa >> 6;
    const index = <u32>line & 63;
    reserve();
    flushRange(line, 1, keyId, chunk == 64 ? DISCARD : CAUSE_SNOOP);
    if (cause != CAUSE_DMA) count(COUNTER_LINES_WRITTEN);
    if (chunk == 64) writeLine(line >> 6, index, keyId, from, false, cause, currentWriter());
    else writePartial(line >> 6, index, keyId, from, offset, chunk, cause, currentWriter());
    pa += chunk;
    from += chunk;
    left -= chunk;
  }
}

/** DMA read into the mailbox; 1 when it met poison. */
export function dmaRead(from: u64, length: u32, keyId: u32): i32 {
  let pa = from;
  let to = mailbox;
  let left = length;
  while (left != 0) {
    const offset = <u32>pa & 63;
    const chunk = min<u32>(left, 64 - offset);
    const frame = pa >> 12;
    const index = <u32>(pa >> 6) & 63;
    reserve();
    const view = findView(frame, keyId);
    if (view != 0 && isDirty(view, (<u64>1) << index)) writeBack(view, index, CAUSE_SNOOP);
    if (readLine(frame, index, keyId, mergeLine)) {
      dramFault(lineNumber(frame, index), keyId);
      return 1;
    }
    memory.copy(to, mergeLine + offset, chunk);
    pa += chunk;
    to += chunk;
    left -= chunk;
  }
  return 0;
}
