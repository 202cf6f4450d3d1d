/**
 * What the logical processors have cached of their S-EPTs: a mirror of the entries read since INVEPT, for each LP and root a radix
 * tree in the shape of the tables. A cached entry's parents are cached too, so one descent finds the deepest. Blocks of the tree
 * cover 64 entries of one table and stay bound to their place over INVEPT, which only moves on the epoch:
 *   {epoch, -, which entries are cached u64, of leaf entries the table's page u64}, 64 raw entries, and above the last
 *   level 8 links for each entry to the blocks of its table.
 * A root is a block without entries, linked to its table: {epoch, -, its name u64, page u64, next of its bucket, -, KeyID, levels}.
 */

import { allocate, reserve, tryAllocate } from './arena';

export const MAX_LPS: u32 = 1024;
const SLOTS: usize = 16;
const BUCKETS: usize = 64;

/** LP: {epoch, blocks bound, blocks bound in the first epoch, next and end of the current chunk, chunk, first chunk}, buckets, slots. */
const EPOCH = 0;
const BOUND = 4;
const FIRST_BOUND = 8;
const NEXT = 12;
const END = 16;
const CHUNK = 20;
const FIRST_CHUNK = 24;
const LP_ROOTS: usize = 64;
const LP_SLOTS: usize = LP_ROOTS + (BUCKETS << 2);
const SLOT_SHIFT: usize = 5;
const LP_BYTES: usize = LP_SLOTS + (SLOTS << SLOT_SHIFT);
const lps: usize = memory.data(4096, 16);

/** Slot: what the VMM set, {page u64, KeyID u32, levels u32}, its root block or 0, and the LP. */
export const SLOT_PAGE = 0;
export const SLOT_KEY_ID = 8;
export const SLOT_LEVELS = 12;
const SLOT_ROOT = 16;
const SLOT_LP = 20;

/** Block. */
export const BLOCK_EPOCH = 0;
export const CACHED = 8;
export const TABLE = 16;
export const ROOT_NAME = 8;
const ROOT_NEXT = 24;
const ROOT_TAG = 32;
export const ENTRIES: usize = 64;
export const LINKS: usize = ENTRIES + 512;
const LAST_BYTES: usize = LINKS;
const INNER_BYTES: usize = LINKS + 2048;

/** Chunk: {next, end}, then blocks. The first one holds the longest path: a root, four inner blocks, a last one. */
const CHUNK_HEADER: usize = 64;
const FIRST_CHUNK_BYTES: usize = CHUNK_HEADER + 5 * INNER_BYTES + LAST_BYTES;
const MAX_CHUNK_BYTES: usize = 256 * 1024;
const MAX_EPOCH: u32 = 0xffffff;
/** Blocks are kept over INVEPT until there are this many times more than the first epoch needed. */
const KEPT_FACTOR: u32 = 4;
const KEPT_ALWAYS: u32 = 64;

/** Each root of each LP between two INVEPTs has a name of its own. */
let names: u64 = 0;

function lpAt(lp: u32): usize {
  return <usize>load<u32>(lps + ((<usize>lp) << 2));
}

function powerOn(lp: u32): usize {
  reserve();
  const at = allocate(LP_BYTES + FIRST_CHUNK_BYTES);
  const chunk = at + LP_BYTES;
  store<u32>(chunk, <u32>(chunk + FIRST_CHUNK_BYTES), 4);
  store<u32>(at, 1, EPOCH);
  store<u32>(at, <u32>chunk, FIRST_CHUNK);
  for (let slot: usize = 0; slot < SLOTS; ++slot) store<u32>(at + LP_SLOTS + (slot << SLOT_SHIFT), <u32>at, SLOT_LP);
  forget(at);
  store<u32>(lps + ((<usize>lp) << 2), <u32>at);
  return at;
}

/** The slot, or 0 when the LP never had a root. */
export function slotOf(lp: u32, slot: u32): usize {
  const at = lpAt(lp);
  return at == 0 ? 0 : at + LP_SLOTS + ((<usize>slot) << SLOT_SHIFT);
}

export function setRoot(lp: u32, slot: u32, page: u64, keyId: u32, levels: u32): void {
  if (lpAt(lp) == 0) powerOn(lp);
  const at = slotOf(lp, slot);
  const tag = <u64>keyId | ((<u64>levels) << 32);
  if (load<u64>(at, SLOT_PAGE) == page && load<u64>(at, SLOT_KEY_ID) == tag) return;
  store<u64>(at, page, SLOT_PAGE);
  store<u64>(at, tag, SLOT_KEY_ID);
  store<u32>(at, 0, SLOT_ROOT);
}

/** All blocks of the LP are free again. */
function forget(at: usize): void {
  const chunk = <usize>load<u32>(at, FIRST_CHUNK);
  store<u32>(at, 0, BOUND);
  store<u32>(at, 0, FIRST_BOUND);
  store<u32>(at, <u32>chunk, CHUNK);
  store<u32>(at, <u32>(chunk + CHUNK_HEADER), NEXT);
  store<u32>(at, load<u32>(chunk, 4), END);
  memory.fill(at + LP_ROOTS, 0, BUCKETS << 2);
  for (let slot: usize = 0; slot < SLOTS; ++slot) store<u32>(at + LP_SLOTS + (slot << SLOT_SHIFT), 0, SLOT_ROOT);
}

/** Memory is short: a TLB may also forget. What is bound next finds room. */
export function forgetSlot(slot: usize): void {
  forget(load<u32>(slot, SLOT_LP));
}

export function invept(lp: u32): void {
  const at = lpAt(lp);
  if (at == 0) return;
  const bound = load<u32>(at, BOUND);
  const epoch = load<u32>(at, EPOCH);
  if (load<u32>(at, FIRST_BOUND) == 0) store<u32>(at, bound, FIRST_BOUND);
  store<u32>(at, epoch == MAX_EPOCH ? 1 : epoch + 1, EPOCH);
  if (epoch == MAX_EPOCH || bound > load<u32>(at, FIRST_BOUND) * KEPT_FACTOR + KEPT_ALWAYS) forget(at);
}

export function inveptAll(): void {
  for (let lp: u32 = 0; lp < MAX_LPS; ++lp) invept(lp);
}

function nextChunk(at: usize): bool {
  const chunk = <usize>load<u32>(at, CHUNK);
  let next = <usize>load<u32>(chunk);
  if (next == 0) {
    const bytes = min<usize>((<usize>load<u32>(chunk, 4) - chunk) << 1, MAX_CHUNK_BYTES);
    next = tryAllocate(bytes);
    if (next == 0) return false;
    store<u32>(chunk, <u32>next);
    store<u32>(next, <u32>(next + bytes), 4);
  }
  store<u32>(at, <u32>next, CHUNK);
  store<u32>(at, <u32>(next + CHUNK_HEADER), NEXT);
  store<u32>(at, load<u32>(next, 4), END);
  return true;
}

/** A block with nothing cached; 0 when memory is short. */
function take(at: usize, bytes: usize): usize {
  if (<usize>load<u32>(at, NEXT) + bytes > <usize>load<u32>(at, END) && !nextChunk(at)) return 0;
  const block = <usize>load<u32>(at, NEXT);
  store<u32>(at, <u32>(block + bytes), NEXT);
  store<u32>(at, load<u32>(at, BOUND) + 1, BOUND);
  memory.fill(block, 0, ENTRIES);
  if (bytes == INNER_BYTES) memory.fill(block + LINKS, 0, 2048);
  return block;
}

/** Binds a block to the place that `link` names; 0 when memory is short. */
export function bind(slot: usize, link: usize, last: bool): usize {
  const block = take(load<u32>(slot, SLOT_LP), last ? LAST_BYTES : INNER_BYTES);
  store<u32>(link, <u32>block);
  return block;
}

/** The root block of what the slot is set to, with the name and the epoch that hold now. */
export function rootBlock(slot: usize): usize {
  let block = <usize>load<u32>(slot, SLOT_ROOT);
  if (block == 0) block = findRoot(slot);
  const epoch = load<u32>(<usize>load<u32>(slot, SLOT_LP), EPOCH);
  if (load<u32>(block, BLOCK_EPOCH) != epoch) {
    store<u32>(block, epoch, BLOCK_EPOCH);
    store<u64>(block, ++names, ROOT_NAME);
  }
  return block;
}

function findRoot(slot: usize): usize {
  const at = <usize>load<u32>(slot, SLOT_LP);
  const page = load<u64>(slot, SLOT_PAGE);
  const tag = load<u64>(slot, SLOT_KEY_ID);
  const bucket = at + LP_ROOTS + (((<usize>(page >> 12) ^ <usize>(page >> 18) ^ <usize>tag) & (BUCKETS - 1)) << 2);
  let block = <usize>load<u32>(bucket);
  while (block != 0 && (load<u64>(block, TABLE) != page || load<u64>(block, ROOT_TAG) != tag))
    block = load<u32>(block, ROOT_NEXT);
  if (block == 0) {
    block = take(at, INNER_BYTES);
    if (block == 0) {
      forget(at);
      block = take(at, INNER_BYTES);
    }
    store<u64>(block, page, TABLE);
    store<u64>(block, tag, ROOT_TAG);
    store<u32>(block, load<u32>(bucket), ROOT_NEXT);
    store<u32>(bucket, <u32>block);
  }
  store<u32>(slot, <u32>block, SLOT_ROOT);
  return block;
}
