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
/** More than any single step allocates. */
const STEP_BYTES: usize = 384 * 1024;
const STEP_BLOCKS: u32 = 8;

let brk: usize = 0;
let top: usize = 0;
let maxTop: usize = 0;
/** Bytes below brk that lie in free lists or in the untouched rest of a chunk. */
let idle: usize = 0;

/** Slab: free list, its length, next untouched block, end of the chunk, block size, chunk size. */
const FREE = 0;
const FREE_COUNT = 4;
const NEXT = 8;
const END = 12;
const SIZE = 16;
const CHUNK = 20;
const SLAB_BYTES = 24;
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

function growTo(end: usize): bool {
  if (end > maxTop || end < brk) return false;
  const missing = end - top;
  const wanted = max<usize>(missing, max<usize>(1 << 20, top >> 3));
  const room = maxTop - top;
  const pages = (min<usize>(wanted, room) + 65535) >> PAGE_SHIFT;
  if (memory.grow(<i32>pages) < 0 && memory.grow(<i32>((missing + 65535) >> PAGE_SHIFT)) < 0) return false;
  top = (<usize>min<u32>(<u32>memory.size(), 65535)) << PAGE_SHIFT;
  return true;
}

function hasRoom(bytes: usize): bool {
  return top - brk >= bytes || growTo(brk + bytes);
}

/** Do the free lists, and what is left above brk for whole chunks, cover one more step? */
function slabsHaveRoom(): bool {
  let missing: usize = 0;
  for (let i: u32 = 0; i < slabCount; ++i) {
    const slab = slabs + i * SLAB_BYTES;
    const size = load<u32>(slab, SIZE);
    const blocks = load<u32>(slab, FREE_COUNT) + (load<u32>(slab, END) - load<u32>(slab, NEXT)) / size;
    const chunk = load<u32>(slab, CHUNK);
    if (blocks < STEP_BLOCKS) missing += <usize>(((STEP_BLOCKS - blocks) * size + chunk - 1) / chunk) * chunk + 4096;
  }
  return missing <= top - brk;
}

export function outOfMemory(): void {
  resumeEvent();
  abort(null, null, ABORT_OUT_OF_MEMORY, 0);
}

/** Makes sure that one step can allocate what it needs; otherwise aborts with nothing changed. */
export function reserve(): void {
  if (top - brk < STEP_BYTES) reserveSlow();
}

function reserveSlow(): void {
  if (!growTo(brk + STEP_BYTES) && !slabsHaveRoom()) outOfMemory();
}

/** `bytes` from the bump pointer, zeroed, 64-byte aligned; 0 when there is no room beside what a step may need. */
export function tryAllocate(bytes: usize): usize {
  const size = (bytes + 63) & ~(<usize>63);
  if (size > maxTop || !hasRoom(size + STEP_BYTES)) return 0;
  const at = brk;
  brk += size;
  return at;
}

/** As {@link tryAllocate}, but aborts when there is no room. */
export function allocate(bytes: usize): usize {
  const at = tryAllocate(bytes);
  if (at == 0) outOfMemory();
  return at;
}

/** As {@link tryAllocate}, for bytes that are copied to and from pages: placed as pages are. */
export function tryAllocateBuffer(bytes: usize): usize {
  const at = tryAllocate(bytes + 4096);
  return at == 0 ? 0 : alignUp(at, 4096);
}

export function createSlab(size: u32, chunk: u32): usize {
  const slab = slabs + slabCount++ * SLAB_BYTES;
  store<u32>(slab, size, SIZE);
  store<u32>(slab, chunk, CHUNK);
  return slab;
}

/** One block; its contents are undefined. */
export function take(slab: usize): usize {
  count(COUNTER_SLOTS_ALLOCATED);
  const free = <usize>load<u32>(slab, FREE);
  if (free != 0) {
    store<u32>(slab, load<u32>(free), FREE);
    store<u32>(slab, load<u32>(slab, FREE_COUNT) - 1, FREE_COUNT);
    idle -= load<u32>(slab, SIZE);
    return free;
  }
  let next = <usize>load<u32>(slab, NEXT);
  if (next == load<u32>(slab, END)) {
    next = refill(slab);
  }
  const size = load<u32>(slab, SIZE);
  store<u32>(slab, <u32>next + size, NEXT);
  idle -= size;
  return next;
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

/** A chunk must be a multiple of the block size. */
function refill(slab: usize): usize {
  const chunk = <usize>load<u32>(slab, CHUNK);
  const size = <usize>load<u32>(slab, SIZE);
  const start = alignUp(brk, size);
  if (start + chunk > top && !growTo(start + chunk)) outOfMemory();
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
  store<u32>(block, load<u32>(slab, FREE));
  store<u32>(slab, <u32>block, FREE);
  store<u32>(slab, load<u32>(slab, FREE_COUNT) + 1, FREE_COUNT);
  idle += load<u32>(slab, SIZE);
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
