/**
 * Cached pages. A view holds the lines of one (page frame, KeyID) that any package has cached: one copy of the data,
 * because copies of the same tag are equal in all packages, and who holds what:
 *   {key u64 = frame << 16 | KeyID, next, data, pattern u64, writer, writers, dirty u64, poison u64, valid u64 for each package}.
 * Without data every held line is `pattern`; without writers every held line has `writer`. A dirty line has one holder.
 * Hash chains are ordered by key, so that the aliases of a page come in ascending KeyID.
 */
import { donate, give, take, tryAllocate } from './arena';
import { packages, provenance } from './config';
import { fillPage } from './lines';
import { dataPages, VIEW_HEADER, views, writerBlocks } from './slabs';

export const NEXT = 8;
export const DATA = 12;
export const PATTERN = 16;
export const VIEW_WRITER = 24;
export const WRITERS = 28;
export const DIRTY = 32;
export const POISONED = 40;
const VALID: usize = VIEW_HEADER;

const FIRST_BUCKETS: u32 = 1024;
let heads: usize = 0;
let mask: u32 = 0;
export let viewCount: u32 = 0;
/** Changes whenever a view comes or goes. */
export let viewVersion: u32 = 1;
/** Lines held by each package (u64). */
const held: usize = memory.data(64, 16);

export function initViews(): void {
  mask = FIRST_BUCKETS - 1;
  heads = tryAllocate((<usize>FIRST_BUCKETS) << 2);
}

export function viewKey(frame: u64, keyId: u32): u64 {
  return (frame << 16) | <u64>keyId;
}

export function frameOf(view: usize): u64 {
  return load<u64>(view) >> 16;
}

export function keyIdOf(view: usize): u32 {
  return <u32>load<u64>(view) & 0xffff;
}

function bucketOf(frame: u64): usize {
  return heads + ((<usize>(<u32>(frame ^ (frame >> 13) ^ (frame >> 27)) & mask)) << 2);
}

export function findView(frame: u64, keyId: u32): usize {
  const key = viewKey(frame, keyId);
  let view = <usize>load<u32>(bucketOf(frame));
  while (view != 0 && load<u64>(view) != key) view = load<u32>(view, NEXT);
  return view;
}

export function bucketCount(): u32 {
  return mask + 1;
}

export function bucketHead(bucket: u32): usize {
  return load<u32>(heads + ((<usize>bucket) << 2));
}

function link(view: usize): void {
  const key = load<u64>(view);
  let at = bucketOf(key >> 16);
  let next = <usize>load<u32>(at);
  while (next != 0 && load<u64>(next) < key) {
    at = next + NEXT;
    next = load<u32>(at);
  }
  store<u32>(view, <u32>next, NEXT);
  store<u32>(at, <u32>view);
}

export function createView(frame: u64, keyId: u32): usize {
  if (viewCount > mask) growHeads();
  const view = take(views);
  memory.fill(view, 0, VALID + ((<usize>packages) << 3));
  store<u64>(view, viewKey(frame, keyId));
  link(view);
  viewCount += 1;
  viewVersion += 1;
  return view;
}

function growHeads(): void {
  const oldHeads = heads;
  const oldBuckets = mask + 1;
  const wider = tryAllocate((<usize>oldBuckets) << 3);
  if (wider == 0) return;
  heads = wider;
  mask = (mask << 1) | 1;
  for (let i: usize = 0; i < <usize>oldBuckets; ++i) {
    let view = <usize>load<u32>(oldHeads + (i << 2));
    while (view != 0) {
      const next = <usize>load<u32>(view, NEXT);
      link(view);
      view = next;
    }
  }
  donate(dataPages, oldHeads, (<usize>oldBuckets) << 2);
}

/** Frees a view that nobody holds a line of; its data unless they were given away (DATA = 0). */
export function destroyView(view: usize): void {
  const key = load<u64>(view);
  let at = bucketOf(key >> 16);
  while (<usize>load<u32>(at) != view) at = <usize>load<u32>(at) + NEXT;
  store<u32>(at, load<u32>(view, NEXT));
  if (load<u32>(view, DATA) != 0) give(dataPages, load<u32>(view, DATA));
  if (load<u32>(view, WRITERS) != 0) give(writerBlocks, load<u32>(view, WRITERS));
  give(views, view);
  viewCount -= 1;
  viewVersion += 1;
}

export function validIn(view: usize, pkg: u32): u64 {
  return load<u64>(view + VALID + ((<usize>pkg) << 3));
}

export function setValid(view: usize, pkg: u32, bits: u64): void {
  store<u64>(view + VALID + ((<usize>pkg) << 3), bits);
}

/** Lines that any package holds. */
export function validAnywhere(view: usize): u64 {
  let bits: u64 = 0;
  for (let p: u32 = 0; p < packages; ++p) bits |= validIn(view, p);
  return bits;
}

export function heldBy(pkg: u32): u64 {
  return load<u64>(held + ((<usize>pkg) << 3));
}

export function changeHeld(pkg: u32, by: i64): void {
  const at = held + ((<usize>pkg) << 3);
  store<i64>(at, load<i64>(at) + by);
}

/** Address of a cached line; the view gets its own data if it had none. */
export function lineData(view: usize, index: u32): usize {
  let data = <usize>load<u32>(view, DATA);
  if (data == 0) {
    data = take(dataPages);
    fillPage(data, load<u64>(view, PATTERN));
    store<u32>(view, <u32>data, DATA);
  }
  return data + ((<usize>index) << 6);
}

export function viewWriter(view: usize, index: u32): u32 {
  const writers = <usize>load<u32>(view, WRITERS);
  return writers == 0 ? load<u32>(view, VIEW_WRITER) : load<u32>(writers + ((<usize>index) << 2));
}

/** `held`: the lines of the view that have a holder. */
export function setViewWriter(view: usize, index: u32, writer: u32, heldLines: u64): void {
  if (!provenance) return;
  let writers = <usize>load<u32>(view, WRITERS);
  if (writers == 0) {
    const one = load<u32>(view, VIEW_WRITER);
    if (one == writer) return;
    if ((heldLines & ~((<u64>1) << index)) == 0) {
      store<u32>(view, writer, VIEW_WRITER);
      return;
    }
    writers = take(writerBlocks);
    for (let at = writers; at < writers + 256; at += 4) store<u32>(at, one);
    store<u32>(view, <u32>writers, WRITERS);
  }
  store<u32>(writers + ((<usize>index) << 2), writer);
}
