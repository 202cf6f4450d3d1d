/**
 * What the logical processors have cached of their S-EPTs: a mirror of the entries read since INVEPT, for each LP and root a radix
 * tree in the shape of the tables. It stays bound to its places over INVEPT, which only ends the names of the LP's roots: an entry is
 * cached while it bears the name that its root has now. A name is a multiple of 4; in that of a record the low bits say what the way to
 * the entry and the entry itself deny: {@link NO_READ}, {@link NO_WRITE}.
 *   Inner block, 64 entries of a table: their names u64, side by side, and records {raw u64, trust u64, links to the 8 blocks of the
 *   entry's table u32}.
 *   Leaf block, 64 entries: {name u64, which are cached u64, which are known u64, trust u64, place u64, the names above it u32 each,
 *   which may be written u64}, raw entries.
 *   Root: {name u64, name in which it was irregular u64, page u64, KeyID, levels, next of its bucket}, links to its 8 blocks.
 * Trust is no cache of the processor's: whatever bears the trust of this moment (views.ts) was seen to be what memory still says.
 */

import { allocate, reserve, tryAllocate } from './arena';
import { EXPONENT } from './doubles';
import { WALK_LPS, WALK_SLOTS } from './layout';
import { SEPT_R, SEPT_W } from './spec/sept';

const BUCKETS: usize = 64;

/** LP: {last name before INVEPT u64, blocks bound, at the first INVEPT, next and end of the chunk, chunk, first chunk}, buckets, slots. */
const ENDED = 0;
const BOUND = 8;
const FIRST_BOUND = 12;
const NEXT = 16;
const END = 20;
const CHUNK = 24;
const FIRST_CHUNK = 28;
const LP_ROOTS: usize = 64;
const LP_SLOTS: usize = LP_ROOTS + (BUCKETS << 2);
const SLOT_SHIFT: usize = 5;
const LP_BYTES: usize = LP_SLOTS + ((<usize>WALK_SLOTS) << SLOT_SHIFT);
const lps: usize = memory.data(WALK_LPS * 4, 16);

/** Slot: what the VMM set, {page u64, KeyID u32, levels u32}, its root block or 0, and the LP. */
export const SLOT_PAGE = 0;
export const SLOT_KEY_ID = 8;
export const SLOT_LEVELS = 12;
const SLOT_ROOT = 16;
const SLOT_LP = 20;

/** Root and leaf block. */
export const NAME = 0;
export const NO_READ: u64 = SEPT_R;
const NO_WRITE: u64 = SEPT_W;
const DENIALS: u64 = NO_WRITE | NO_READ;
export const ROOT_IRREGULAR = 8;
const ROOT_PAGE = 16;
const ROOT_TAG = 24;
const ROOT_NEXT = 32;
export const ROOT_LINKS: usize = 64;
const ROOT_BYTES: usize = 128;

export const RAW = 0;
export const RECORD_TRUST = 8;
export const LINKS: usize = 16;
const RECORD_BYTES: usize = 48;
const RECORDS: usize = 512;
const INNER_BYTES: usize = RECORDS + (RECORD_BYTES << 6);

export const CACHED = 8;
/** Entries that are what memory says while the block is trusted. */
export const KNOWN = 16;
export const BLOCK_TRUST = 24;
export const PLACE = 32;
/** Name of the entry above the block, and of those above that one. */
export const ABOVE: usize = 40;
export const WRITABLE = 56;
export const ENTRIES: usize = 64;
const LEAF_BYTES: usize = ENTRIES + 512;

/** Leaf blocks by place. Direct-mapped; a block says itself where it belongs. */
const FRONT_BITS: u32 = 14;
const FRONT_ENTRIES: usize = 1 << FRONT_BITS;
const front: usize = memory.data(65536, 64);

/** Chunk: {next, end}, then blocks. The first one holds the longest path: a root, four inner blocks, a leaf block. */
const CHUNK_HEADER: usize = 64;
const FIRST_CHUNK_BYTES: usize = CHUNK_HEADER + ROOT_BYTES + 4 * INNER_BYTES + LEAF_BYTES;
const MAX_CHUNK_BYTES: usize = 128 * 1024;
/** Blocks are kept over INVEPT until there are this many times more than the first epoch needed. */
const KEPT_FACTOR: u32 = 4;
const KEPT_ALWAYS: u32 = 64;

/** Each root of each LP between two INVEPTs has a name of its own, larger than those before. */
let names: u64 = 0;

function lpAt(lp: u32): usize {
  return <usize>load<u32>(lps + ((<usize>lp) << 2));
}

function powerOn(lp: u32): usize {
  reserve();
  const at = allocate(LP_BYTES + FIRST_CHUNK_BYTES);
  const chunk = at + LP_BYTES;
  store<u32>(chunk, <u32>(chunk + FIRST_CHUNK_BYTES), 4);
  store<u32>(at, <u32>chunk, FIRST_CHUNK);
  for (let slot: usize = 0; slot < <usize>WALK_SLOTS; ++slot) store<u32>(at + LP_SLOTS + (slot << SLOT_SHIFT), <u32>at, SLOT_LP);
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
  memory.fill(front, 0, FRONT_ENTRIES << 2);
  for (let slot: usize = 0; slot < <usize>WALK_SLOTS; ++slot) store<u32>(at + LP_SLOTS + (slot << SLOT_SHIFT), 0, SLOT_ROOT);
}

/** Memory is short: a TLB may also forget. What is bound next finds room. */
export function forgetSlot(slot: usize): void {
  forget(load<u32>(slot, SLOT_LP));
}

export function invept(lp: u32): void {
  const at = lpAt(lp);
  if (at == 0) return;
  const bound = load<u32>(at, BOUND);
  if (load<u32>(at, FIRST_BOUND) == 0) store<u32>(at, bound, FIRST_BOUND);
  store<u64>(at, names, ENDED);
  if (bound > load<u32>(at, FIRST_BOUND) * KEPT_FACTOR + KEPT_ALWAYS) forget(at);
}

export function inveptAll(): void {
  for (let lp: u32 = 0; lp < <u32>WALK_LPS; ++lp) invept(lp);
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
  memory.fill(block, 0, bytes == LEAF_BYTES ? ENTRIES : bytes);
  return block;
}

/** The block that `link` names, bound to its place now if there is none; 0 when memory is short. */
export function bind(slot: usize, link: usize, last: bool): usize {
  let block = <usize>load<u32>(link);
  if (block != 0) return block;
  block = take(load<u32>(slot, SLOT_LP), last ? LEAF_BYTES : INNER_BYTES);
  store<u32>(link, <u32>block);
  return block;
}

/** What tells a root's places from another's: see {@link placeOf}. */
export function placesOf(root: usize): u64 {
  return ((<u64>root >> 6) << 34) ^ (EXPONENT >> 18);
}

/** The 256 KiB that a leaf block maps, and its root; of a GPA with the exponent of 2^52. */
export function placeOf(bits: u64, places: u64): u64 {
  return (bits >> 18) ^ places;
}

/** Where the front has the leaf block of a place: 4 GiB side by side, each of a root's at a start of its own. */
export function frontOf(place: u64): usize {
  const start = (<u32>(place >> <u64>FRONT_BITS) * 0x9e3779b1) >> (32 - FRONT_BITS);
  return front + ((<usize>(<u32>place + start) & (FRONT_ENTRIES - 1)) << 2);
}

/** Where an inner block has the name of an entry. */
export function nameIn(block: usize, index: usize): usize {
  return block + (index << 3);
}

export function recordIn(block: usize, index: usize): usize {
  return block + RECORDS + index * RECORD_BYTES;
}

/** Is the entry with the name at `at` cached, whatever it denies? */
export function bears(at: usize, name: u64): bool {
  return (load<u64>(at) & ~DENIALS) == name;
}

/** The root of what the slot is set to, with the name that holds now. */
export function rootOf(slot: usize): usize {
  let root = <usize>load<u32>(slot, SLOT_ROOT);
  if (root == 0) root = findRoot(slot);
  if (load<u64>(root, NAME) <= load<u64>(<usize>load<u32>(slot, SLOT_LP), ENDED)) {
    names += DENIALS + 1;
    store<u64>(root, names, NAME);
  }
  return root;
}

function findRoot(slot: usize): usize {
  const at = <usize>load<u32>(slot, SLOT_LP);
  const page = load<u64>(slot, SLOT_PAGE);
  const tag = load<u64>(slot, SLOT_KEY_ID);
  const bucket = at + LP_ROOTS + (((<usize>(page >> 12) ^ <usize>(page >> 18) ^ <usize>tag) & (BUCKETS - 1)) << 2);
  let root = <usize>load<u32>(bucket);
  while (root != 0 && (load<u64>(root, ROOT_PAGE) != page || load<u64>(root, ROOT_TAG) != tag)) root = load<u32>(root, ROOT_NEXT);
  if (root == 0) {
    root = take(at, ROOT_BYTES);
    if (root == 0) {
      forget(at);
      root = take(at, ROOT_BYTES);
    }
    store<u64>(root, page, ROOT_PAGE);
    store<u64>(root, tag, ROOT_TAG);
    store<u32>(root, load<u32>(bucket), ROOT_NEXT);
    store<u32>(bucket, <u32>root);
  }
  store<u32>(slot, <u32>root, SLOT_ROOT);
  return root;
}
