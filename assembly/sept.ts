/**
 * The S-EPT walk of a logical processor. Its TLB and paging-structure caches are architectural: they hold whatever was read,
 * without bound, until INVEPT (sept-cache.ts). Translations belong to a root, as the CPU's belong to an EPTP and a KeyID: another
 * root does not see them, and going back finds them as they were. Two accelerators are invisible: a cursor on the 256 KiB walked
 * last, and for each 2 MiB a way past the upper levels.
 */

import { holdLine } from './access';
import { isPoisoned } from './cache';
import { addressBits, cacheSets, lru } from './config';
import { count } from './counters';
import { WALK_HPA, WALK_MAPPED, WALK_POISON, WALK_STATUS, WALK_VIOLATION } from './layout';
import { walkResult } from './memory-map';
import { cachedFault } from './origins';
import {
  BLOCK_EPOCH,
  bind,
  CACHED,
  ENTRIES,
  forgetSlot,
  LINKS,
  ROOT_NAME,
  rootBlock,
  SLOT_KEY_ID,
  SLOT_LEVELS,
  SLOT_PAGE,
  slotOf,
  TABLE,
} from './sept-cache';
import { ADDRESS, finish, finishBad, finishLarge, LAST_LEAF_LEVEL, LEAF, READ, WRITE } from './sept-entry';
import { COUNTER_SEPT_WALK_STEPS, COUNTER_SEPT_WALKS, COUNTER_TLB_HITS, COUNTER_TLB_MISSES } from './spec/counters';
import { cachedBytes, dataPage, POISONED, recentView, validIn } from './views';

/** Beside the walk statuses: the cursor is where it should be; the LP's mirror was lost on the way. */
const FOUND: i32 = -1;
const LOST: i32 = -2;

/**
 * Cursor: {region u64 = GPA >> 18, its block, the block's WRITE right u64; lines of its table that can be read at once u64, the
 * table's bytes or 0; and what it holds for: the root's name u64, the epoch}.
 */
const REGION = 0;
const RIGHTS = 8;
const LINES = 16;
const NAME = 24;
const BLOCK = 32;
const BYTES = 36;
const EPOCH = 40;
/** Progress of the call: walks begun, those that the counters have, the others' misses. */
const BEGUN = 48;
const SETTLED = 52;
const MISSED = 56;
/** Entry of the leaf walked last. */
const LAST = 64;
const cursor: usize = memory.data(72, 64);
const NOWHERE: u64 = 0xffffffffffffffff;

/**
 * Front, by GPA >> 21: {name of the root u64, GPA >> 21, links of the level-1 entry | may write}. Direct-mapped.
 */
const FRONT_ENTRIES: usize = 4096;
const FRONT_REGION = 8;
const FRONT_LINKS = 12;
const front: usize = memory.data(65536, 64);

const single: usize = memory.data(16, 16);

/** Bits that decide whether an entry can be used: READ alone of them. */
let decisive: u64 = 0;
/** A bounded cache that evicts the least recently used line is asked for each entry. */
let asksEachTime: bool = false;

/** Exact for integers below 2^52. */
function toU64(x: f64): u64 {
  return reinterpret<u64>(x + 4503599627370496.0) & 0xfffffffffffff;
}

function toF64(x: u64): f64 {
  return reinterpret<f64>(x | 0x4330000000000000) - 4503599627370496.0;
}

/** Walks for the 4 KiB page at `gpa`. */
export function walk(lp: u32, slot: u32, pkg: u32, gpa: f64, write: bool): i32 {
  store<f64>(single, gpa);
  walkMany(lp, slot, pkg, single, single + 8, 1, write);
  return load<i32>(walkResult, WALK_STATUS);
}

/** Adds the walks begun so far to the counters. `missing`: 1 when the last of them is known to miss but not in MISSED yet. */
function settle(missing: u32): void {
  const walks = load<u32>(cursor, BEGUN) - load<u32>(cursor, SETTLED);
  const misses = load<u32>(cursor, MISSED) + missing;
  count(COUNTER_SEPT_WALKS, walks);
  count(COUNTER_TLB_MISSES, misses);
  count(COUNTER_TLB_HITS, <u64>walks - <u64>misses);
  store<u32>(cursor, load<u32>(cursor, BEGUN), SETTLED);
  store<u32>(cursor, 0 - missing, MISSED);
}

function missed(): void {
  store<u32>(cursor, load<u32>(cursor, MISSED) + 1, MISSED);
}

function begin(slot: usize): void {
  asksEachTime = lru && cacheSets != 0;
  decisive = READ | (ADDRESS & ~(((<u64>1) << addressBits) - 1));
  store<u32>(cursor, 0, BEGUN);
  store<u32>(cursor, 0, SETTLED);
  store<u32>(cursor, 0, MISSED);
  store<u32>(cursor, 0, BYTES);
  enter(slot);
}

/** The cursor stays where it is if it is in the slot's root, and no INVEPT came since. */
function enter(slot: usize): void {
  const root = rootBlock(slot);
  const name = load<u64>(root, ROOT_NAME);
  if (load<u64>(cursor, NAME) == name) return;
  store<u64>(cursor, name, NAME);
  store<u64>(cursor, NOWHERE, REGION);
  store<u32>(cursor, load<u32>(root, BLOCK_EPOCH), EPOCH);
}

/** Lines of the view that `pkg` holds and that can be read without asking; see {@link hold} for the others. */
function readable(view: usize, pkg: u32): u64 {
  return validIn(view, pkg) & ~load<u64>(view, POISONED);
}

/** The line's bytes, through the package's cache; 0 when it is poisoned. */
function hold(table: u64, index: u32, pkg: u32, keyId: u32): usize {
  settle(1);
  const view = holdLine(pkg, table >> 12, index, keyId);
  if (!isPoisoned(view, (<u64>1) << index)) return cachedBytes(view, index);
  cachedFault((table >> 6) | <u64>index, keyId);
  return 0;
}

function setCached(block: usize, bits: u64, raw: u64, index: u64): void {
  store<u64>(block + ((<usize>index & 63) << 3), raw, ENTRIES);
  store<u64>(block, bits | ((<u64>1) << index), CACHED);
}

/** Goes down to the block of leaf entries for `gpa`: {@link FOUND}, {@link LOST}, or the walk ended above it with that status. */
function descend(slot: usize, pkg: u32, gpa: u64, write: bool): i32 {
  const levels = load<u32>(slot, SLOT_LEVELS);
  if (gpa >> (12 + 9 * <u64>levels) != 0) {
    missed();
    return finish(WALK_VIOLATION, levels - 1, 0, 0);
  }
  const epoch = load<u32>(cursor, EPOCH);
  const keyId = load<u32>(slot, SLOT_KEY_ID);
  let links = rootBlock(slot) + LINKS;
  let raw = load<u64>(slot, SLOT_PAGE);
  let rights = WRITE;
  // The index of the table at hand is in the top 9 bits.
  let rest = gpa << (52 - 9 * <u64>levels);
  for (let level = levels - 1; level != 0; --level) {
    const link = links + ((<usize>(rest >> 61)) << 2);
    let block = <usize>load<u32>(link);
    if (block == 0) {
      block = bind(slot, link, false);
      if (block == 0) return LOST;
    }
    const index = rest >> 55;
    const bits = load<u32>(block, BLOCK_EPOCH) == epoch ? load<u64>(block, CACHED) : 0;
    if (((bits >> index) & 1) != 0) {
      raw = load<u64>(block + ((<usize>index & 63) << 3), ENTRIES);
    } else {
      count(COUNTER_SEPT_WALK_STEPS);
      const table = raw & ADDRESS;
      const view: usize = asksEachTime ? 0 : recentView(table >> 12, keyId);
      let bytes: usize = 0;
      if (view != 0 && ((readable(view, pkg) >> (rest >> 58)) & 1) != 0) bytes = dataPage(view);
      if (bytes != 0) {
        bytes += (<usize>index) << 3;
      } else {
        bytes = hold(table, <u32>(rest >> 58), pkg, keyId);
        if (bytes == 0) {
          missed();
          return finish(WALK_POISON, level, 0, 0);
        }
        bytes += (<usize>index & 7) << 3;
      }
      raw = load<u64>(bytes);
      if ((raw & (decisive | LEAF)) != READ) {
        missed();
        if ((raw & decisive) != READ || level > LAST_LEAF_LEVEL) return finishBad(level, raw);
      }
      store<u32>(block, epoch, BLOCK_EPOCH);
      setCached(block, bits, raw, index);
    }
    rights &= raw;
    if ((raw & LEAF) != 0) return finishLarge(raw, level, gpa, write && rights == 0);
    links = block + LINKS + ((<usize>index & 63) << 5);
    rest <<= 9;
  }
  return reachLeaves(slot, gpa, links, raw & ADDRESS, rights);
}

/** Binds the block of leaf entries and makes the front know the way. */
function reachLeaves(slot: usize, gpa: u64, links: usize, table: u64, rights: u64): i32 {
  const link = links + ((<usize>(gpa >> 18) & 7) << 2);
  let block = <usize>load<u32>(link);
  if (block == 0) {
    block = bind(slot, link, true);
    if (block == 0) return LOST;
  }
  const epoch = load<u32>(cursor, EPOCH);
  if (load<u32>(block, BLOCK_EPOCH) != epoch) {
    store<u32>(block, epoch, BLOCK_EPOCH);
    store<u64>(block, 0, CACHED);
  }
  store<u64>(block, table, TABLE);
  const way = front + ((<usize>(gpa >> 21) & (FRONT_ENTRIES - 1)) << 4);
  store<u64>(way, load<u64>(cursor, NAME));
  store<u32>(way, <u32>(gpa >> 21), FRONT_REGION);
  store<u32>(way, <u32>links | <u32>(rights >> 1), FRONT_LINKS);
  moveTo(gpa, block, rights);
  return FOUND;
}

function moveTo(gpa: u64, block: usize, rights: u64): void {
  store<u64>(cursor, gpa >> 18, REGION);
  store<u64>(cursor, rights, RIGHTS);
  store<u32>(cursor, <u32>block, BLOCK);
  store<u32>(cursor, 0, BYTES);
}

/** Brings the cursor to the block of leaf entries for `gpa`: {@link FOUND}, or the walk ended above it with that status. */
function seek(slot: usize, pkg: u32, gpa: u64, write: bool): i32 {
  const way = front + ((<usize>(gpa >> 21) & (FRONT_ENTRIES - 1)) << 4);
  if (load<u64>(way) == load<u64>(cursor, NAME) && <u64>load<u32>(way, FRONT_REGION) == gpa >> 21) {
    const links = load<u32>(way, FRONT_LINKS);
    const block = <usize>load<u32>((<usize>links & ~(<usize>1)) + ((<usize>(gpa >> 18) & 7) << 2));
    if (block != 0 && load<u32>(block, BLOCK_EPOCH) == load<u32>(cursor, EPOCH)) {
      moveTo(gpa, block, (<u64>(links & 1)) << 1);
      return FOUND;
    }
  }
  return seekFromRoot(slot, pkg, gpa, write);
}

function seekFromRoot(slot: usize, pkg: u32, gpa: u64, write: bool): i32 {
  while (true) {
    const status = descend(slot, pkg, gpa, write);
    if (status != LOST) {
      if (status != FOUND) store<u64>(cursor, NOWHERE, REGION);
      return status;
    }
    forgetSlot(slot);
    enter(slot);
  }
}

/** Reads the leaf entry of `gpa` in the cursor's block and caches it: {@link FOUND}, or the walk ended with that status. */
function readLeaf(slot: usize, pkg: u32, gpa: u64): i32 {
  count(COUNTER_SEPT_WALK_STEPS);
  const block = <usize>load<u32>(cursor, BLOCK);
  const table = load<u64>(block, TABLE);
  const keyId = load<u32>(slot, SLOT_KEY_ID);
  let bytes = <usize>load<u32>(cursor, BYTES);
  if (bytes == 0) {
    const view: usize = asksEachTime ? 0 : recentView(table >> 12, keyId);
    bytes = view == 0 ? 0 : dataPage(view);
    store<u64>(cursor, bytes == 0 ? 0 : readable(view, pkg), LINES);
    store<u32>(cursor, <u32>bytes, BYTES);
  }
  let at = bytes + (<usize>(gpa >> 9) & 0xff8);
  if (((load<u64>(cursor, LINES) >> (gpa >> 15)) & 1) == 0) {
    store<u32>(cursor, 0, BYTES);
    const line = hold(table, <u32>(gpa >> 15) & 63, pkg, keyId);
    at = line + (<usize>(gpa >> 9) & 0x38);
    if (line == 0) {
      missed();
      return finish(WALK_POISON, 0, 0, 0);
    }
  }
  missed();
  const raw = load<u64>(at);
  // Bit 7 is ignored at 4 KiB: an ordinary EPT leaves it clear.
  if ((raw & decisive) != READ) return finishBad(0, raw);
  setCached(block, load<u64>(block, CACHED), raw, gpa >> 12);
  return FOUND;
}

/**
 * Goes on from walk `start` while nothing is out of the ordinary: the cursor's block, lines that can be read, pages that are
 * mapped. Returns the first walk that it leaves to others; nothing in here can fail.
 */
function walkRegion(from: usize, to: usize, start: u32, n: u32, write: bool): u32 {
  const block = <usize>load<u32>(cursor, BLOCK);
  const region = load<u64>(cursor, REGION);
  const bytes = <usize>load<u32>(cursor, BYTES);
  const lines = bytes == 0 ? 0 : load<u64>(cursor, LINES);
  const rights = write ? WRITE : 0;
  if ((rights & ~load<u64>(cursor, RIGHTS)) != 0) return start;
  const mask = decisive | rights;
  const good = READ | rights;
  let cached = load<u64>(block, CACHED);
  let misses: u32 = 0;
  let raw = load<u64>(cursor, LAST);
  let i = start;
  for (; i < n; ++i) {
    const gpa = toU64(load<f64>(from + ((<usize>i) << 3)));
    if (gpa >> 18 != region) break;
    const entry = block + (<usize>(gpa >> 9) & 0x1f8);
    if (((cached >> (gpa >> 12)) & 1) != 0) {
      const known = load<u64>(entry, ENTRIES);
      if ((known & good) != good) break;
      raw = known;
    } else {
      if (((lines >> (gpa >> 15)) & 1) == 0) break;
      const read = load<u64>(bytes + (<usize>(gpa >> 9) & 0xff8));
      if ((read & mask) != good) break;
      raw = read;
      store<u64>(entry, read, ENTRIES);
      cached |= (<u64>1) << (gpa >> 12);
      misses += 1;
    }
    store<f64>(to + ((<usize>i) << 3), toF64(raw & ADDRESS));
  }
  store<u64>(block, cached, CACHED);
  store<u64>(cursor, raw, LAST);
  store<u32>(cursor, load<u32>(cursor, MISSED) + misses, MISSED);
  store<u32>(cursor, i, BEGUN);
  count(COUNTER_SEPT_WALK_STEPS, misses);
  return i;
}

/** One walk, of whatever kind; its HPA goes to `to`. */
function walkOne(slot: usize, pkg: u32, gpa: u64, write: bool, to: usize): i32 {
  if (gpa >> 18 != load<u64>(cursor, REGION)) {
    const status = seek(slot, pkg, gpa, write);
    if (status == WALK_MAPPED) store<f64>(to, toF64(load<u64>(walkResult, WALK_HPA)));
    if (status != FOUND) return status;
  }
  const block = <usize>load<u32>(cursor, BLOCK);
  if (((load<u64>(block, CACHED) >> (gpa >> 12)) & 1) == 0) {
    const status = readLeaf(slot, pkg, gpa);
    if (status != FOUND) return status;
  }
  const raw = load<u64>(block + (<usize>(gpa >> 9) & 0x1f8), ENTRIES);
  store<u64>(cursor, raw, LAST);
  if (write && (raw & load<u64>(cursor, RIGHTS)) == 0) return finish(WALK_VIOLATION, 0, raw, 0);
  store<f64>(to, toF64(raw & ADDRESS));
  return FOUND;
}

/**
 * Walks for `n` 4 KiB pages: GPAs at `from`, HPAs at `to`, as doubles. Stops at the first that is not mapped; the walk record
 * describes the last walk. Returns how many were mapped.
 */
export function walkMany(lp: u32, slotNumber: u32, pkg: u32, from: usize, to: usize, n: u32, write: bool): u32 {
  const slot = slotOf(lp, slotNumber);
  if (slot == 0 || load<u32>(slot, SLOT_LEVELS) == 0) {
    count(COUNTER_SEPT_WALKS);
    finish(WALK_VIOLATION, 0, 0, 0);
    return 0;
  }
  begin(slot);
  let status = FOUND;
  let i: u32 = 0;
  for (; i < n; ++i) {
    if (toU64(load<f64>(from + ((<usize>i) << 3))) >> 18 == load<u64>(cursor, REGION)) {
      status = FOUND;
      i = walkRegion(from, to, i, n, write);
      if (i == n) break;
    }
    store<u32>(cursor, i + 1, BEGUN);
    const at = (<usize>i) << 3;
    status = walkOne(slot, pkg, toU64(load<f64>(from + at)), write, to + at);
    if (status != FOUND && status != WALK_MAPPED) break;
  }
  settle(0);
  const raw = load<u64>(cursor, LAST);
  if (status == FOUND) finish(WALK_MAPPED, 0, raw, raw & ADDRESS);
  return i;
}
