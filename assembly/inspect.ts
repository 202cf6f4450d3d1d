/** Probes: what the model knows about DRAM lines and cached copies. Answers lie in the probe record. */

import { isDirty, isPoisoned, readCached } from './cache';
import { packages } from './config';
import { homeEnd, homeOf } from './homes';
import { instanceGeneration, instanceKeyId } from './keys';
import {
  PROBE_DATA,
  PROBE_DIRTY,
  PROBE_FLAGS,
  PROBE_GENERATION,
  PROBE_KEY_ID,
  PROBE_LINE,
  PROBE_LINES,
  PROBE_PACKAGE,
  PROBE_POISON,
  PROBE_TAMPERED,
  PROBE_TD_BIT,
  PROBE_WRITER,
} from './layout';
import { probe } from './memory-map';
import { lineTag, lineWriter } from './page';
import { resolveFrame, resolveRange } from './pending';
import { DATA, INSTANCE, POISON, TAMPERED, TD } from './tags';
import { findDescriptor, kindOf, span } from './tree';
import { firstView, nextFrame } from './view-index';
import { frameOf, keyIdOf, NEXT, validAnywhere, validIn, viewWriter } from './views';

/** State of `lines` lines from `line` on that look alike. */
function describe(line: u64, lines: u64): void {
  const desc = findDescriptor(line >> 6);
  const tag = lineTag(desc, <u32>line & 63);
  const key = tag & INSTANCE;
  let flags = 0;
  if ((tag & TD) != 0) flags |= PROBE_TD_BIT;
  if ((tag & POISON) != 0) flags |= PROBE_POISON;
  if ((tag & TAMPERED) != 0) flags |= PROBE_TAMPERED;
  store<u64>(probe, line, PROBE_LINE);
  store<u64>(probe, lines, PROBE_LINES);
  store<u32>(probe, instanceKeyId(key), PROBE_KEY_ID);
  store<u32>(probe, instanceGeneration(key), PROBE_GENERATION);
  store<u32>(probe, homeOf(line >> 6), PROBE_PACKAGE);
  store<u32>(probe, lineWriter(desc, <u32>line & 63), PROBE_WRITER);
  store<i32>(probe, flags, PROBE_FLAGS);
}

export function inspect(line: u64): void {
  resolveFrame(line >> 6);
  describe(line, 1);
}

/** First line after `line` that may look different: the end of its descriptor's range, or the next line of a mixed or sparse page. */
function stretchEnd(line: u64): u64 {
  const frame = line >> 6;
  const desc = findDescriptor(frame);
  if (kindOf(desc) > DATA) return line + 1;
  const size = (<u64>1) << span;
  return min<u64>((frame & ~(size - 1)) + size, homeEnd(frame)) << 6;
}

function sameState(a: u64, b: u64): bool {
  const descA = findDescriptor(a >> 6);
  const tagA = lineTag(descA, <u32>a & 63);
  const writerA = lineWriter(descA, <u32>a & 63);
  const descB = findDescriptor(b >> 6);
  const tagB = lineTag(descB, <u32>b & 63);
  const seen = TD | POISON | TAMPERED;
  if ((tagA & seen) != (tagB & seen) || writerA != lineWriter(descB, <u32>b & 63)) return false;
  if (homeOf(a >> 6) != homeOf(b >> 6)) return false;
  const keyA = tagA & INSTANCE;
  const keyB = tagB & INSTANCE;
  if (keyA == keyB) return true;
  return instanceKeyId(keyA) == instanceKeyId(keyB) && instanceGeneration(keyA) == instanceGeneration(keyB);
}

/** Next maximal run in [line, end) of lines with TD bit or poison; false when there is none. */
export function nextRun(line: u64, end: u64): bool {
  resolveRange(line >> 6, ((end - 1) >> 6) + 1);
  let start = line;
  while (start < end) {
    const desc = findDescriptor(start >> 6);
    if ((lineTag(desc, <u32>start & 63) & (TD | POISON)) != 0) break;
    start = stretchEnd(start);
  }
  if (start >= end) return false;
  let last = stretchEnd(start);
  while (last < end && sameState(start, last)) last = stretchEnd(last);
  describe(start, min<u64>(last, end) - start);
  return true;
}

function describeCopy(view: usize, index: u32, pkg: u32): void {
  const bit = (<u64>1) << index;
  let flags = 0;
  if (isDirty(view, bit)) flags |= PROBE_DIRTY;
  if (isPoisoned(view, bit)) flags |= PROBE_POISON;
  store<u64>(probe, (frameOf(view) << 6) | <u64>index, PROBE_LINE);
  store<u64>(probe, 1, PROBE_LINES);
  store<u32>(probe, keyIdOf(view), PROBE_KEY_ID);
  store<u32>(probe, pkg, PROBE_PACKAGE);
  store<u32>(probe, viewWriter(view, index), PROBE_WRITER);
  store<i32>(probe, flags, PROBE_FLAGS);
  readCached(view, index, probe + PROBE_DATA);
}

/** The `nth` cached copy of a line, by package, then KeyID; false when there are fewer. */
export function cachedCopy(line: u64, nth: u32): bool {
  const frame = line >> 6;
  const index = <u32>line & 63;
  let left = nth;
  resolveFrame(frame);
  for (let p: u32 = 0; p < packages; ++p) {
    for (let view = firstView(frame); view != 0; view = load<u32>(view, NEXT)) {
      if (((validIn(view, p) >> index) & 1) == 0) continue;
      if (left == 0) {
        describeCopy(view, index, p);
        return true;
      }
      left -= 1;
    }
  }
  return false;
}

/** First line at or after `line` and before `end` that any package holds, or -1. */
export function nextCachedLine(line: u64, end: u64): f64 {
  if (line >= end) return -1;
  const last = (end - 1) >> 6;
  resolveRange(line >> 6, last + 1);
  for (let frame = nextFrame(line >> 6); frame <= last; frame = nextFrame(frame + 1)) {
    const from = frame == line >> 6 ? line & 63 : 0;
    let held: u64 = 0;
    for (let view = firstView(frame); view != 0; view = load<u32>(view, NEXT)) held |= validAnywhere(view);
    held = (held >> from) << from;
    if (held == 0) continue;
    const found = (frame << 6) | ctz(held);
    return found < end ? <f64>found : -1;
  }
  return -1;
}
