/**
 * Linear memory: a bump pointer, and slabs of equal blocks with free lists above it.
 * Whoever changes the machine calls `reserve` first, at a point where the machine is consistent, so that no allocation
 * fails half-way through a step.
 */

import { count } from './counters';
import { resumeEvent } from './events';
import { ABORT_OUT_OF_MEMORY } from './layout';
import { COUNTER_SLOTS_ALLOCATED, COUNTER_SLOTS_FREED } from './spec/counters';

const PAGE_SHIFT: usize = 16;
/** Of simulated memory. */
const PAGE_BYTES: usize = 4096;
/** More than any single step allocates: what it does to one line, or to one page. */
const STEP_BYTES: usize = 384 * 1024;
/** Most blocks that a step takes from a slab, unless the slab says otherwise. */
const STEP_BLOCKS: u32 = 8;

let brk: usize = 0;
let top: usize = 0;
let maxTop: usize = 0;
/** Bytes below brk that lie in free lists or in the untouched rest of a chunk. */
let idle: usize = 0;

/**
 * Slab: free list, its length, next untouched block, end of the chunk, block size, chunk size, most blocks that a step takes, and most
 * addresses that a free block holds. The free list is of blocks that hold the addresses of others: to free or to take one does not
 * touch it, which for pages that have left the host's caches is most of the cost.
 */
const FREE = 0;
const FREE_COUNT = 4;
const NEXT = 8;
const END = 12;
const SIZE = 16;
const CHUNK = 20;
const STEP = 24;
const CAPACITY = 28;
const SLAB_BYTES = 32;
/** In a free block that holds others: the next such block, how many it holds, their addresses. */
const HELD = 4;
const ADDRESSES: usize = 8;
const MAX_SLABS = 12;
const slabs: usize = memory.data(SLAB_BYTES * MAX_SLABS, 16);
let slabCount: u32 = 0;

export function initArena(maxPages: u32): void {
  brk = (__heap_base + 63) & ~(<usize>63);
  top = (<usize>min<u32>(<u32>memory.size(), 65535)) << PAGE_SHIFT;
  // The last page stays unused: its end would not fit an address.
  maxTop = (<usize>min<u32>(maxPages, 65535)) << PAGE_SHIFT;
}

/** Bytes in live use, static data included. */
export function usedBytes(): f64 {
  return <f64>(brk - idle);
}

/** Ends are u64: they may lie beyond the address space. */
function growTo(end: u64): bool {
  if (end > <u64>maxTop) return false;
  const missing = <usize>end - top;
  const wanted = max<usize>(missing, max<usize>(1 << 20, top >> 3));
  const room = maxTop - top;
  const pages = (min<usize>(wanted, room) + 65535) >> PAGE_SHIFT;
  if (memory.grow(<i32>pages) < 0 && memory.grow(<i32>((missing + 65535) >> PAGE_SHIFT)) < 0) return false;
  top = (<usize>min<u32>(<u32>memory.size(), 65535)) << PAGE_SHIFT;
  return true;
}

function hasRoom(bytes: u64): bool {
  return <u64>(top - brk) >= bytes || growTo(<u64>brk + bytes);
}

/** Do the free lists, and what is left above brk for whole chunks, cover one more step? */
function slabsHaveRoom(): bool {
  let missing: usize = 0;
  for (let i: u32 = 0; i < slabCount; ++i) {
    const slab = slabs + i * SLAB_BYTES;
    const size = load<u32>(slab, SIZE);
    const blocks = load<u32>(slab, FREE_COUNT) + (load<u32>(slab, END) - load<u32>(slab, NEXT)) / size;
    const chunk = load<u32>(slab, CHUNK);
    const needed = load<u32>(slab, STEP);
    if (blocks < needed) missing += <usize>(((needed - blocks) * size + chunk - 1) / chunk) * chunk + 4096;
  }
  return missing <= top - brk;
}

export function outOfMemory(): void {
  resumeEvent();
  abort(null, null, ABORT_OUT_OF_MEMORY, 0);
}

function hasRoomForStep(): bool {
  return growTo(<u64>brk + STEP_BYTES) || slabsHaveRoom();
}

/** Makes sure that one step can allocate what it needs; otherwise aborts with nothing changed. */
export function reserve(): void {
  if (top - brk < STEP_BYTES && !hasRoomForStep()) outOfMemory();
}

/** As {@link reserve}, for whoever has something to bring to an end first: false when there is no room. */
export function tryReserve(): bool {
  return top - brk >= STEP_BYTES || hasRoomForStep();
}

/** `bytes` from the bump pointer, zeroed, 64-byte aligned; 0 when there is no room beside what a step may need. */
export function tryAllocate(bytes: u64): usize {
  const size = (bytes + 63) & ~(<u64>63);
  if (!hasRoom(size + STEP_BYTES)) return 0;
  const at = brk;
  brk += <usize>size;
  return at;
}

/** As {@link tryAllocate}, but aborts when there is no room. */
export function allocate(bytes: u64): usize {
  const at = tryAllocate(bytes);
  if (at == 0) outOfMemory();
  return at;
}

/** As {@link tryAllocate}, for bytes that are copied to and from pages: placed as pages are. */
export function tryAllocateBuffer(bytes: u64): usize {
  const at = tryAllocate(bytes + 4096);
  return at == 0 ? 0 : alignUp(at, 4096);
}

export function createSlab(size: u32, chunk: u32, step: u32 = STEP_BLOCKS): usize {
  const slab = slabs + slabCount++ * SLAB_BYTES;
  store<u32>(slab, size, SIZE);
  store<u32>(slab, chunk, CHUNK);
  store<u32>(slab, step, STEP);
  store<u32>(slab, (size - <u32>ADDRESSES) >> 2, CAPACITY);
  return slab;
}

/** One block; its contents are undefined. */
export function take(slab: usize): usize {
  count(COUNTER_SLOTS_ALLOCATED);
  if (load<u32>(slab, FREE) != 0) return takeFree(slab);
  let next = <usize>load<u32>(slab, NEXT);
  if (next == load<u32>(slab, END)) {
    next = refill(slab);
  }
  const size = load<u32>(slab, SIZE);
  store<u32>(slab, <u32>next + size, NEXT);
  idle -= size;
  return next;
}

function takeFree(slab: usize): usize {
  store<u32>(slab, load<u32>(slab, FREE_COUNT) - 1, FREE_COUNT);
  idle -= load<u32>(slab, SIZE);
  const holder = <usize>load<u32>(slab, FREE);
  const left = load<u32>(holder, HELD);
  if (left == 0) {
    store<u32>(slab, load<u32>(holder), FREE);
    return holder;
  }
  store<u32>(holder, left - 1, HELD);
  return load<u32>(holder + ((<usize>left - 1) << 2), ADDRESSES);
}

/**
 * Where a block of this size may start. Pages start in the middle of a host page: glibc's memcpy on AMD's Zen is ten times slower when
 * the target lies just behind the source modulo 4096, and large JavaScript arrays start 16 bytes behind a host page.
 */
function alignUp(at: usize, size: usize): usize {
  const align = min<usize>(size & (0 - size), 4096);
  const shift: usize = align == 4096 ? 2048 : 0;
  return ((at + shift + align - 1) & ~(align - 1)) - shift;
}

/** Bytes of the range that is being planned: its new pages are to lie side by side, so that one copy moves them. */
let expected: u64 = 0;

/** 0: no range is being planned any more. */
export function expectPages(bytes: u64): void {
  expected = bytes;
}

/** Of the slab's next chunk. Pages of a range leave half of what is left to the other slabs. */
function chunkBytes(slab: usize, room: usize): usize {
  const usual = <usize>load<u32>(slab, CHUNK);
  if (load<u32>(slab, SIZE) != <u32>PAGE_BYTES) return usual;
  const wanted = <usize>min<u64>(expected, room >> 1) & ~(PAGE_BYTES - 1);
  expected -= wanted;
  return max<usize>(usual, wanted);
}

/** A chunk must be a multiple of the block size. */
function refill(slab: usize): usize {
  const start = alignUp(brk, load<u32>(slab, SIZE));
  let chunk = chunkBytes(slab, maxTop - start);
  if (<u64>start + chunk > <u64>top && !growTo(<u64>start + chunk)) {
    chunk = load<u32>(slab, CHUNK);
    if (<u64>start + chunk > <u64>top && !growTo(<u64>start + chunk)) outOfMemory();
  }
  idle += start - brk + chunk;
  brk = start + chunk;
  store<u32>(slab, <u32>(start + chunk), END);
  return start;
}

export function give(slab: usize, block: usize): void {
  count(COUNTER_SLOTS_FREED);
  putBack(slab, block);
}

function putBack(slab: usize, block: usize): void {
  store<u32>(slab, load<u32>(slab, FREE_COUNT) + 1, FREE_COUNT);
  idle += load<u32>(slab, SIZE);
  const holder = <usize>load<u32>(slab, FREE);
  const n: u32 = holder == 0 ? 0 : load<u32>(holder, HELD);
  if (holder != 0 && n < load<u32>(slab, CAPACITY)) {
    store<u32>(holder + ((<usize>n) << 2), <u32>block, ADDRESSES);
    store<u32>(holder, n + 1, HELD);
    return;
  }
  store<u32>(block, <u32>holder);
  store<u32>(block, 0, HELD);
  store<u32>(slab, <u32>block, FREE);
}

/** Turns an array that was outgrown into blocks of `slab`; what does not fit stays idle. */
export function donate(slab: usize, start: usize, bytes: usize): void {
  const size = <usize>load<u32>(slab, SIZE);
  const end = start + bytes;
  let block = alignUp(start, size);
  idle += bytes;
  for (; block + size <= end; block += size) {
    putBack(slab, block);
    idle -= size;
  }
}
