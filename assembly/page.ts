/** Lines of a page, through its descriptor: tags, writers and data. */
import { give, take } from './arena';
import { provenance } from './config';
import { copyLine, fillLine, fillPage, lineIs } from './lines';
import { dataPages, lineBlocks } from './slabs';
import { DATA, FILL, KIND_SHIFT, MIXED, TAG } from './tags';
import { HIGH, kindOf, LOW, WRITER } from './tree';

const WRITERS: usize = 256;

export function lineTag(desc: usize, index: u32): u32 {
  const word = load<u32>(desc);
  if (word >> KIND_SHIFT != MIXED) return word & TAG;
  return load<u32>(<usize>load<u32>(desc, HIGH) + ((<usize>index) << 2));
}

export function lineWriter(desc: usize, index: u32): u32 {
  if (kindOf(desc) != MIXED) return load<u32>(desc, WRITER);
  return provenance ? load<u32>(<usize>load<u32>(desc, HIGH) + WRITERS + ((<usize>index) << 2)) : 0;
}

/** Stored bytes of a line: plaintext, or ciphertext when the tag says so. */
export function readStored(desc: usize, index: u32, to: usize): void {
  if (kindOf(desc) == FILL) fillLine(to, load<u64>(desc, LOW));
  else copyLine(to, <usize>load<u32>(desc, LOW) + ((<usize>index) << 6));
}

/** Gives a uniform page its own data. */
function makeData(desc: usize): void {
  const pattern = load<u64>(desc, LOW);
  const data = take(dataPages);
  fillPage(data, pattern);
  store<u32>(desc, load<u32>(desc) | (DATA << KIND_SHIFT));
  store<u32>(desc, <u32>data, LOW);
  store<u32>(desc, 0, HIGH);
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

/** A mixed page whose lines have become equal is uniform again; looked at when the line just written equals its neighbours. */
function collapsePage(desc: usize, index: u32): void {
  const block = <usize>load<u32>(desc, HIGH);
  const tag = load<u32>(block + ((<usize>index) << 2));
  if (load<u32>(block + ((<usize>((index + 1) & 63)) << 2)) != tag) return;
  if (load<u32>(block + ((<usize>((index - 1) & 63)) << 2)) != tag) return;
  if (!allEqual(block) || (provenance && !allEqual(block + WRITERS))) return;
  store<u32>(desc, tag | (DATA << KIND_SHIFT));
  store<u32>(desc, provenance ? load<u32>(block, WRITERS) : 0, WRITER);
  store<u32>(desc, 0, HIGH);
  give(lineBlocks, block);
}

/** Sets tag and writer of one line of a page descriptor. */
export function setTag(desc: usize, index: u32, tag: u32, writer: u32): void {
  if (kindOf(desc) != MIXED) {
    if ((load<u32>(desc) & TAG) == tag && load<u32>(desc, WRITER) == writer) return;
    if (kindOf(desc) == FILL) makeData(desc);
    makeMixed(desc);
  }
  const at = <usize>load<u32>(desc, HIGH) + ((<usize>index) << 2);
  store<u32>(at, tag);
  if (provenance) store<u32>(at, writer, WRITERS);
  collapsePage(desc, index);
}

/** Replaces one line: data, tag and writer. Equal zeros over uniform zeros cost nothing. */
export function putLine(desc: usize, index: u32, from: usize, tag: u32, writer: u32): void {
  if (kindOf(desc) == FILL) {
    if (load<u32>(desc) == tag && load<u32>(desc, WRITER) == writer && lineIs(from, load<u64>(desc, LOW))) return;
    makeData(desc);
  }
  copyLine(<usize>load<u32>(desc, LOW) + ((<usize>index) << 6), from);
  setTag(desc, index, tag, writer);
}

/** Replaces the bytes alone. */
export function putStored(desc: usize, index: u32, from: usize): void {
  if (kindOf(desc) == FILL) makeData(desc);
  copyLine(<usize>load<u32>(desc, LOW) + ((<usize>index) << 6), from);
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
  give(dataPages, load<u32>(desc, LOW));
  if (kind == MIXED) give(lineBlocks, load<u32>(desc, HIGH));
}
