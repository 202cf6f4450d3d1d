/** Lines of a page, through its descriptor: tags, writers and data. */
import { give, take } from './arena';
import { provenance } from './config';
import { copyLine, fillLine, fillPage, lineIs } from './lines';
import { dataPages, lineBlocks, sparsePages } from './slabs';
import { addSlot, clearSlots, isFull, NO_SLOT, slotCount, slotIndex, slotOf } from './sparse';
import { DATA, FILL, KIND_SHIFT, MIXED, SPARSE, TAG } from './tags';
import { HIGH, kindOf, LOW, WRITER } from './tree';

/** Mixed: 64 tags, then 64 writers. */
export const WRITERS: usize = 256;
/** Sparse: the page's pattern, then tags, writers and bytes of its odd lines. */
const PATTERN: usize = 8;
const SLOT_TAGS: usize = 16;
const SLOT_WRITERS: usize = 32;
const SLOT_LINES: usize = 48;

export function lineTag(desc: usize, index: u32): u32 {
  const word = load<u32>(desc);
  const kind = word >> KIND_SHIFT;
  if (kind < MIXED) return word & TAG;
  if (kind == MIXED) return load<u32>(<usize>load<u32>(desc, HIGH) + ((<usize>index) << 2));
  const block = <usize>load<u32>(desc, LOW);
  const slot = slotOf(block, index);
  return slot == NO_SLOT ? word & TAG : load<u32>(block + ((<usize>slot) << 2), SLOT_TAGS);
}

export function lineWriter(desc: usize, index: u32): u32 {
  const kind = kindOf(desc);
  if (kind < MIXED) return load<u32>(desc, WRITER);
  if (kind == MIXED) return provenance ? load<u32>(<usize>load<u32>(desc, HIGH) + WRITERS + ((<usize>index) << 2)) : 0;
  const block = <usize>load<u32>(desc, LOW);
  const slot = slotOf(block, index);
  return slot == NO_SLOT ? load<u32>(desc, WRITER) : load<u32>(block + ((<usize>slot) << 2), SLOT_WRITERS);
}

/** Stored bytes of a line: plaintext, or ciphertext when the tag says so. */
export function readStored(desc: usize, index: u32, to: usize): void {
  const kind = kindOf(desc);
  if (kind == FILL) fillLine(to, load<u64>(desc, LOW));
  else if (kind == SPARSE) readSparse(load<u32>(desc, LOW), index, to);
  else copyLine(to, <usize>load<u32>(desc, LOW) + ((<usize>index) << 6));
}

function readSparse(block: usize, index: u32, to: usize): void {
  const slot = slotOf(block, index);
  if (slot == NO_SLOT) fillLine(to, load<u64>(block, PATTERN));
  else copyLine(to, lineOf(block, slot));
}

function lineOf(block: usize, slot: u32): usize {
  return block + SLOT_LINES + ((<usize>slot) << 6);
}

function makeSparse(desc: usize): void {
  const block = take(sparsePages);
  clearSlots(block);
  store<u64>(block, load<u64>(desc, LOW), PATTERN);
  store<u32>(desc, load<u32>(desc) | (SPARSE << KIND_SHIFT));
  store<u32>(desc, <u32>block, LOW);
  store<u32>(desc, 0, HIGH);
}

/** The slot of a line of a sparse page; NO_SLOT when the block is full. A new one says what the page says. */
function sparseSlot(desc: usize, index: u32): u32 {
  const block = <usize>load<u32>(desc, LOW);
  const found = slotOf(block, index);
  if (found != NO_SLOT || isFull(block)) return found;
  const slot = addSlot(block, index);
  store<u32>(block + ((<usize>slot) << 2), load<u32>(desc) & TAG, SLOT_TAGS);
  store<u32>(block + ((<usize>slot) << 2), load<u32>(desc, WRITER), SLOT_WRITERS);
  fillLine(lineOf(block, slot), load<u64>(block, PATTERN));
  return slot;
}

/** A sparse page becomes one with data, and with a tag for each line. */
function promote(desc: usize): void {
  const block = <usize>load<u32>(desc, LOW);
  const data = take(dataPages);
  fillPage(data, load<u64>(block, PATTERN));
  store<u32>(desc, (load<u32>(desc) & TAG) | (DATA << KIND_SHIFT));
  store<u32>(desc, <u32>data, LOW);
  makeMixed(desc);
  const tags = <usize>load<u32>(desc, HIGH);
  for (let slot: u32 = 0, n = slotCount(block); slot < n; ++slot) {
    const index = <usize>slotIndex(block, slot);
    const at = block + ((<usize>slot) << 2);
    copyLine(data + (index << 6), lineOf(block, slot));
    store<u32>(tags + (index << 2), load<u32>(at, SLOT_TAGS));
    if (provenance) store<u32>(tags + WRITERS + (index << 2), load<u32>(at, SLOT_WRITERS));
  }
  give(sparsePages, block);
}

function makeMixed(desc: usize): void {
  const block = take(lineBlocks);
  const tag = i32x4.splat(<i32>(load<u32>(desc) & TAG));
  const writer = i32x4.splat(<i32>load<u32>(desc, WRITER));
  for (let at = block; at < block + 256; at += 16) {
    v128.store(at, tag);
    if (provenance) v128.store(at, writer, WRITERS);
  }
  store<u32>(desc, MIXED << KIND_SHIFT);
  store<u32>(desc, 0, WRITER);
  store<u32>(desc, <u32>block, HIGH);
}

function allEqual(words: usize): bool {
  const first = v128.load(words);
  if (v128.any_true(v128.xor(first, i32x4.splat(<i32>load<u32>(words))))) return false;
  for (let at = words + 16; at < words + 256; at += 16) if (v128.any_true(v128.xor(first, v128.load(at)))) return false;
  return true;
}

function differsFromNext(words: usize, index: u32): bool {
  return load<u32>(words + ((<usize>index) << 2)) != load<u32>(words + ((<usize>((index + 1) & 63)) << 2));
}

/** A mixed page whose lines have become equal is uniform again; looked at when the line just written equals the next one. */
function collapsePage(desc: usize, index: u32): void {
  const block = <usize>load<u32>(desc, HIGH);
  if (differsFromNext(block, index) || (provenance && differsFromNext(block + WRITERS, index))) return;
  const tag = load<u32>(block);
  if (!allEqual(block) || (provenance && !allEqual(block + WRITERS))) return;
  store<u32>(desc, tag | (DATA << KIND_SHIFT));
  store<u32>(desc, provenance ? load<u32>(block, WRITERS) : 0, WRITER);
  store<u32>(desc, 0, HIGH);
  give(lineBlocks, block);
}

/** Sets tag and writer of one line of a page descriptor. */
export function setTag(desc: usize, index: u32, tag: u32, writer: u32): void {
  const kind = kindOf(desc);
  if (kind < MIXED) {
    if ((load<u32>(desc) & TAG) == tag && load<u32>(desc, WRITER) == writer) return;
    if (kind == FILL) makeSparse(desc);
    else makeMixed(desc);
  }
  if (kindOf(desc) == SPARSE) {
    const slot = sparseSlot(desc, index);
    if (slot != NO_SLOT) {
      setSlot(desc, slot, tag, writer);
      return;
    }
    promote(desc);
  }
  const at = <usize>load<u32>(desc, HIGH) + ((<usize>index) << 2);
  store<u32>(at, tag);
  if (provenance) store<u32>(at, writer, WRITERS);
  collapsePage(desc, index);
}

function setSlot(desc: usize, slot: u32, tag: u32, writer: u32): void {
  const at = <usize>load<u32>(desc, LOW) + ((<usize>slot) << 2);
  store<u32>(at, tag, SLOT_TAGS);
  store<u32>(at, writer, SLOT_WRITERS);
}

/** Where a line's bytes can be written: a page of its own, or a slot of a sparse one. */
function writableLine(desc: usize, index: u32): usize {
  if (kindOf(desc) == FILL) makeSparse(desc);
  if (kindOf(desc) == SPARSE) {
    const slot = sparseSlot(desc, index);
    if (slot != NO_SLOT) return lineOf(load<u32>(desc, LOW), slot);
    promote(desc);
  }
  return <usize>load<u32>(desc, LOW) + ((<usize>index) << 6);
}

/** Replaces one line: data, tag and writer. What a uniform page says already costs nothing. */
export function putLine(desc: usize, index: u32, from: usize, tag: u32, writer: u32): void {
  const word = load<u32>(desc);
  if (word == (tag | (DATA << KIND_SHIFT)) && load<u32>(desc, WRITER) == writer) {
    copyLine(<usize>load<u32>(desc, LOW) + ((<usize>index) << 6), from);
    return;
  }
  if (word == tag && load<u32>(desc, WRITER) == writer && lineIs(from, load<u64>(desc, LOW))) return;
  copyLine(writableLine(desc, index), from);
  setTag(desc, index, tag, writer);
}

/** Replaces the bytes alone. */
export function putStored(desc: usize, index: u32, from: usize): void {
  copyLine(writableLine(desc, index), from);
}

/** Replaces a page by a data page that `data` now belongs to; with `writers` (64 u32) unless they are one. */
export function putPage(desc: usize, data: usize, tag: u32, writer: u32, writers: usize): void {
  store<u32>(desc, tag | (DATA << KIND_SHIFT));
  store<u32>(desc, writer, WRITER);
  store<u32>(desc, <u32>data, LOW);
  store<u32>(desc, 0, HIGH);
  if (writers == 0) return;
  makeMixed(desc);
  memory.copy(<usize>load<u32>(desc, HIGH) + WRITERS, writers, 256);
  collapsePage(desc, 0);
}

/** Frees what a page descriptor owns. */
export function freePage(desc: usize): void {
  const kind = kindOf(desc);
  if (kind == FILL) return;
  give(kind == SPARSE ? sparsePages : dataPages, load<u32>(desc, LOW));
  if (kind == MIXED) give(lineBlocks, load<u32>(desc, HIGH));
}
