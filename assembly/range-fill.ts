/** Direct writes of a repeated pattern over a range: whole nodes of the tree become one descriptor. */
import { give, outOfMemory, reserve, tryReserve } from './arena';
import { eager, provenance } from './config';
import { forgetLine, writeLine, writeTag } from './controller';
import { count } from './counters';
import { changesOwner, logDisplacement } from './displacements';
import { writerNow } from './events';
import { DISCARD, flushLine, flushResolved } from './flush';
import { homeEnd, homeOf } from './homes';
import { expectedTag, isFault, knownTag } from './keys';
import { CAUSE_MOVDIR64B } from './layout';
import { fillLine } from './lines';
import { patternLine } from './memory-map';
import { freePage, lineTag, lineWriter } from './page';
import { treeNodes } from './slabs';
import {
  COUNTER_CONTROLLER_WRITES,
  COUNTER_LINES_WRITTEN,
  COUNTER_MOVDIR64B_LINES,
  COUNTER_NODES_VISITED,
  COUNTER_POISON_CREATED,
} from './spec/counters';
import { DATA, FILL, FILLED, INSTANCE, KIND_SHIFT, NODE, POISON, STORED, TAG } from './tags';
import { collapseNode, dropTranslations, kindOf, LOW, ROOT_SHIFT, root, setFill, split, WRITER } from './tree';

/** Fills through a faulting KeyID remember where each line's poison came from, up to this many lines. */
const FAULT_LINES: u64 = 1 << 20;

/** What is being written. */
let newTag: u32 = 0;
let newKeyId: u32 = 0;
let newWriter: u32 = 0;
let newPattern: u64 = 0;
let newCause: i32 = 0;

/**
 * MOVDIR64B of a pattern. Nothing is noted for the pages of the range. Cached copies go piece by piece with what replaces them, so that
 * memory may run out between any two. A piece that is a whole descriptor takes none: filling gives memory back at the limit too.
 */
export function fillRange(line: u64, lines: u64, keyId: u32, pattern: u64): void {
  const end = line + lines;
  let at = line;
  while (at < end) {
    const frame = at >> 6;
    const home = homeOf(frame);
    if (knownTag(home, keyId) == 0) reserve();
    const singly = eager || (lines <= FAULT_LINES && expectedTag(home, keyId) == 0);
    const whole = singly ? 0 : wholeFrames(at, end);
    if (whole != 0) {
      fillFrames(frame, frame + whole, keyId, pattern);
      at += whole << 6;
    } else {
      fillOne(at, keyId, pattern);
      at += 1;
    }
  }
}

function fillOne(line: u64, keyId: u32, pattern: u64): void {
  reserve();
  flushLine(line, keyId, DISCARD);
  countLines(1);
  fillLine(patternLine, pattern);
  const frame = line >> 6;
  writeLine(frame, <u32>line & 63, writeTag(homeOf(frame), keyId), patternLine, CAUSE_MOVDIR64B, writerNow);
}

function countLines(lines: u64): void {
  count(COUNTER_MOVDIR64B_LINES, lines);
  count(COUNTER_LINES_WRITTEN, lines);
}

/** Whole pages from line `at` on that have one home. */
function wholeFrames(at: u64, end: u64): u64 {
  if ((at & 63) != 0) return 0;
  const frame = at >> 6;
  const last = min<u64>(end >> 6, homeEnd(frame));
  return last > frame ? last - frame : 0;
}

function fillFrames(first: u64, last: u64, keyId: u32, pattern: u64): void {
  newTag = writeTag(homeOf(first), keyId);
  newKeyId = keyId;
  newWriter = writerNow;
  newPattern = pattern;
  newCause = CAUSE_MOVDIR64B;
  if (isFault(newTag & INSTANCE)) {
    newTag |= POISON | FILLED;
    newPattern = 0;
  }
  fillEntries(root, 0, ROOT_SHIFT, first, last);
  logRun();
}

/** Fills what [first, last) covers of a node whose entry 0 stands for `start`; returns an entry it has set. */
function fillEntries(node: usize, start: u64, shift: u64, first: u64, last: u64): usize {
  const size = (<u64>1) << shift;
  let frame = max<u64>(first, start) & ~(size - 1);
  let entry: usize = 0;
  let visited: u64 = 0;
  // A node below the root ends after 512 entries; the root is as long as the address space.
  const end = shift == ROOT_SHIFT ? last : min<u64>(last, start + (size << 9));
  for (let done: u64 = 1; frame < end; frame += done << shift) {
    entry = node + ((<usize>((frame - start) >> shift)) << 4);
    if (frame >= first && frame + size <= last) {
      done = alike(entry, (end - frame) >> shift);
      replace(entry, frame, shift, done);
    } else {
      done = 1;
      fillPart(entry, frame, shift, first, last);
    }
    visited += done;
  }
  count(COUNTER_NODES_VISITED, visited);
  return entry;
}

function fillPart(entry: usize, frame: u64, shift: u64, first: u64, last: u64): void {
  if (kindOf(entry) != NODE) {
    if (!tryReserve()) stop();
    split(entry);
  }
  const changed = fillEntries(load<u32>(entry, LOW), frame, shift - 9, first, last);
  collapseNode(entry, changed);
}

/** Out of memory: what has been displaced is logged. */
function stop(): void {
  logRun();
  outOfMemory();
}

/** Entries from this one on, at most so many, that are uniform with one tag and one writer; at least 1. */
function alike(entry: usize, most: u64): u64 {
  if (kindOf(entry) != FILL) return 1;
  const word = load<u64>(entry);
  let n: u64 = 1;
  while (n < most && load<u64>(entry + ((<usize>n) << 4)) == word) n += 1;
  return n;
}

/** Replaces `n` entries that are alike. */
function replace(entry: usize, frame: u64, shift: u64, n: u64): void {
  const lines = (n << 6) << shift;
  flushResolved(frame << 6, (frame << 6) + lines, newKeyId, DISCARD);
  countLines(lines);
  count(COUNTER_CONTROLLER_WRITES, lines);
  if ((newTag & POISON) != 0) count(COUNTER_POISON_CREATED, lines);
  if (kindOf(entry) == FILL) displaceUniform(entry, frame, n << shift);
  else discard(entry, frame, shift, true);
  for (let at = entry, end = entry + ((<usize>n) << 4); at < end; at += 16) setFill(at, newTag, newWriter, newPattern);
}

/** Frees what lies below a descriptor; with `log`, as displaced by the fill. */
function discard(entry: usize, frame: u64, shift: u64, log: bool): void {
  const kind = kindOf(entry);
  if (kind == NODE) {
    const node = <usize>load<u32>(entry, LOW);
    const size = (<u64>1) << (shift - 9);
    for (let i: u64 = 0; i < 512; ++i) discard(node + ((<usize>i) << 4), frame + i * size, shift - 9, log);
    give(treeNodes, node);
    dropTranslations();
    return;
  }
  if (kind > DATA) discardLines(entry, frame, log);
  else discardUniform(entry, frame, shift, log);
  freePage(entry);
}

function displaceUniform(entry: usize, frame: u64, frames: u64): void {
  const tag = load<u32>(entry) & TAG;
  if (provenance && changesOwner(tag, newTag)) extendRun(frame, frames, tag, load<u32>(entry, WRITER));
}

function discardUniform(entry: usize, frame: u64, shift: u64, log: bool): void {
  const tag = load<u32>(entry) & TAG;
  if (log) displaceUniform(entry, frame, (<u64>1) << shift);
  // Uniform ranges without data were never tampered with, and their poison needs no record.
  if ((tag & (STORED | POISON)) == 0 || load<u32>(entry) >> KIND_SHIFT == FILL) return;
  for (let i: u64 = 0; i < 64; ++i) forgetLine((frame << 6) | i, tag);
}

/** Displaced pages that look alike and lie side by side: one record of the log. */
let runStart: u64 = 0;
let runFrames: u64 = 0;
let runTag: u32 = 0;
let runWriter: u32 = 0;

function extendRun(frame: u64, frames: u64, tag: u32, writer: u32): void {
  if (runFrames != 0 && (runStart + runFrames != frame || tag != runTag || writer != runWriter)) logRun();
  if (runFrames == 0) runStart = frame;
  runTag = tag;
  runWriter = writer;
  runFrames += frames;
}

function logRun(): void {
  if (runFrames == 0) return;
  logDisplacement(runStart << 6, runFrames << 6, newCause, newTag, newWriter, runTag, runWriter);
  runFrames = 0;
}

function discardLines(entry: usize, frame: u64, log: bool): void {
  if (log) logRun();
  for (let i: u32 = 0; i < 64; ++i) {
    const tag = lineTag(entry, i);
    const line = (frame << 6) | <u64>i;
    if (log && provenance && changesOwner(tag, newTag)) {
      logDisplacement(line, 1, newCause, newTag, newWriter, tag, lineWriter(entry, i));
    }
    if ((tag & (STORED | POISON)) != 0) forgetLine(line, tag);
  }
}

/** Frees everything below a descriptor of the root, for a cold reset. */
export function discardAll(entry: usize, frame: u64): void {
  discard(entry, frame, ROOT_SHIFT, false);
}

/** A whole page is about to be replaced by one write-back of 64 lines: logs and frees the old one. */
export function displacePage(desc: usize, frame: u64, tag: u32, writer: u32, writers: usize, cause: i32): void {
  newTag = tag;
  newCause = cause;
  newWriter = writer;
  if (writers == 0) {
    discard(desc, frame, 0, true);
    logRun();
    return;
  }
  for (let i: u32 = 0; provenance && i < 64; ++i) {
    const old = lineTag(desc, i);
    if (!changesOwner(old, tag)) continue;
    logDisplacement((frame << 6) | <u64>i, 1, cause, tag, load<u32>(writers + ((<usize>i) << 2)), old, lineWriter(desc, i));
  }
  discard(desc, frame, 0, false);
}
