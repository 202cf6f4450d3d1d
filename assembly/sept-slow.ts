/**
 * One S-EPT walk, whatever it meets. It starts at the deepest entry that is cached for the address. The parents of a cached entry are
 * cached as well, and may be written through, except under a root that is irregular: a violation took some of them away, or the tables
 * deny writes above the leaves.
 */

import { holdLine } from './access';
import { isPoisoned } from './cache';
import { count } from './counters';
import { WALK_MAPPED, WALK_POISON, WALK_VIOLATION } from './layout';
import { cachedFault } from './origins';
import {
  bind,
  CACHED,
  DENIED,
  ENTRIES,
  forgetSlot,
  frontOf,
  IRREGULAR,
  KNOWN,
  LINKS,
  NAME,
  RAW,
  REGION,
  ROOT_IRREGULAR,
  ROOT_LINKS,
  rootOf,
  SLOT_KEY_ID,
  SLOT_LEVELS,
  SLOT_PAGE,
  TABLE,
} from './sept-cache';
import { ADDRESS, decisiveBits, finish, finishBad, LAST_LEAF_LEVEL, LEAF, pageIn, READ, WRITE } from './sept-entry';
import { COUNTER_SEPT_WALK_STEPS, COUNTER_SEPT_WALKS, COUNTER_TLB_HITS, COUNTER_TLB_MISSES } from './spec/counters';
import { cachedBytes } from './views';

/** Beside the walk statuses: the mirror was lost on the way. */
const LOST: i32 = -2;

/** Entry that {@link readEntry} read. */
let entry: u64 = 0;
/** Entries that the walk has read. */
let steps: u32 = 0;

/** Walks for the 4 KiB page at `gpa`. */
export function walkSlowly(slot: usize, pkg: u32, gpa: u64, write: bool): i32 {
  count(COUNTER_SEPT_WALKS);
  steps = 0;
  const levels = load<u32>(slot, SLOT_LEVELS);
  if (gpa >> (12 + 9 * <u64>levels) != 0) {
    count(COUNTER_TLB_MISSES);
    return finish(WALK_VIOLATION, levels - 1, 0, 0);
  }
  let status = descend(slot, pkg, gpa, write);
  while (status == LOST) {
    forgetSlot(slot);
    status = descend(slot, pkg, gpa, write);
  }
  if (steps == 0) count(COUNTER_TLB_HITS);
  if (status == WALK_VIOLATION) dropPath(slot, gpa);
  return status;
}

/** Reads an entry through the package's cache; false when its line is poisoned. */
function readEntry(slot: usize, pkg: u32, at: u64): bool {
  if (steps == 0) count(COUNTER_TLB_MISSES);
  steps += 1;
  count(COUNTER_SEPT_WALK_STEPS);
  const keyId = load<u32>(slot, SLOT_KEY_ID);
  const index = <u32>(at >> 6) & 63;
  const view = holdLine(pkg, at >> 12, index, keyId);
  if (isPoisoned(view, (<u64>1) << index)) {
    cachedFault(at >> 6, keyId);
    return false;
  }
  entry = load<u64>(cachedBytes(view, index) + (<usize>at & 0x38));
  return true;
}

/** The link to the block in which the table behind `links` has its entry for `gpa`. */
function linkFor(links: usize, gpa: u64, level: u32): usize {
  return links + ((<usize>(gpa >> (18 + 9 * <u64>level)) & 7) << 2);
}

function recordIn(block: usize, gpa: u64, level: u32): usize {
  return block + ((<usize>(gpa >> (12 + 9 * <u64>level)) & 63) << 6);
}

function indexIn(gpa: u64, level: u32): u64 {
  return ((gpa >> (12 + 9 * <u64>level)) & 511) << 3;
}

function bears(at: usize, name: u64): bool {
  return (load<u64>(at, NAME) & ~IRREGULAR) == name;
}

/** The deepest record on the way to `gpa` that is cached, or 0; its level is `deepestLevel`. The leaf block if there is one: `leafBlock`. */
let deepestLevel: u32 = 0;
let leafBlock: usize = 0;

function deepest(root: usize, levels: u32, gpa: u64): usize {
  const name = load<u64>(root, NAME);
  let links = root + ROOT_LINKS;
  let found: usize = 0;
  deepestLevel = levels;
  leafBlock = 0;
  for (let level = levels - 1; level != 0; --level) {
    const block = <usize>load<u32>(linkFor(links, gpa, level));
    if (block == 0) return found;
    const record = recordIn(block, gpa, level);
    if (bears(record, name)) {
      found = record;
      deepestLevel = level;
    }
    links = record + LINKS;
  }
  leafBlock = load<u32>(linkFor(links, gpa, 0));
  return found;
}

function isLeafCached(block: usize, name: u64, gpa: u64): bool {
  return block != 0 && bears(block, name) && ((load<u64>(block, CACHED) >> ((gpa >> 12) & 63)) & 1) != 0;
}

function descend(slot: usize, pkg: u32, gpa: u64, write: bool): i32 {
  const root = rootOf(slot);
  const name = load<u64>(root, NAME);
  const levels = load<u32>(slot, SLOT_LEVELS);
  let record = deepest(root, levels, gpa);
  if (isLeafCached(leafBlock, name, gpa)) return finishLeaf(leafBlock, gpa, write);
  const usable = decisiveBits();
  let links = record == 0 ? root + ROOT_LINKS : record + LINKS;
  let raw = record == 0 ? load<u64>(slot, SLOT_PAGE) : load<u64>(record, RAW);
  let denied = record == 0 ? 0 : load<u64>(record, NAME) & IRREGULAR;
  let level = deepestLevel;
  while (level > 1 && (record == 0 || (raw & LEAF) == 0)) {
    level -= 1;
    const block = bind(slot, linkFor(links, gpa, level), false);
    if (block == 0) return LOST;
    if (!readEntry(slot, pkg, (raw & ADDRESS) | indexIn(gpa, level))) return finish(WALK_POISON, level, 0, 0);
    raw = entry;
    if ((raw & usable) != READ || ((raw & LEAF) != 0 && level > LAST_LEAF_LEVEL)) return finishBad(level, raw);
    if ((raw & WRITE) == 0) denied = IRREGULAR;
    if (denied != 0) store<u64>(root, name, ROOT_IRREGULAR);
    record = recordIn(block, gpa, level);
    store<u64>(record, name | denied, NAME);
    store<u64>(record, raw, RAW);
    links = record + LINKS;
  }
  if (record != 0 && (raw & LEAF) != 0) {
    if (write && denied != 0) return finish(WALK_VIOLATION, level, raw, 0);
    return finish(WALK_MAPPED, level, raw, pageIn(raw, level, gpa));
  }
  return readLeaf(slot, pkg, gpa, write, linkFor(links, gpa, 0), (raw & ADDRESS) | KNOWN | denied);
}

/** Reads the leaf entry of `gpa` into the block that `link` names. */
function readLeaf(slot: usize, pkg: u32, gpa: u64, write: bool, link: usize, table: u64): i32 {
  const block = bind(slot, link, true);
  if (block == 0) return LOST;
  if (!readEntry(slot, pkg, (table & ADDRESS) | indexIn(gpa, 0))) return finish(WALK_POISON, 0, 0, 0);
  // Bit 7 is ignored at 4 KiB: an ordinary EPT leaves it clear.
  if ((entry & decisiveBits()) != READ) return finishBad(0, entry);
  const root = rootOf(slot);
  const name = load<u64>(root, NAME);
  const denied = table & IRREGULAR;
  const bit = (<u64>1) << ((gpa >> 12) & 63);
  if (!bears(block, name)) {
    store<u64>(block, name, NAME);
    store<u64>(block, 0, CACHED);
    store<u64>(block, 0, DENIED);
  }
  if (denied != 0) {
    store<u64>(block, name | IRREGULAR, NAME);
    store<u64>(block, load<u64>(block, DENIED) | bit, DENIED);
  }
  store<u64>(block, regionOf(gpa), REGION);
  store<u64>(block, table, TABLE);
  store<u64>(block, load<u64>(block, CACHED) | bit, CACHED);
  store<u64>(block + ((<usize>(gpa >> 12) & 63) << 3), entry, ENTRIES);
  store<u32>(frontOf(root, regionOf(gpa)), <u32>block);
  return finishLeaf(block, gpa, write);
}

/** The region as the fast walk has it: of a double with the exponent of 2^52. */
function regionOf(gpa: u64): u64 {
  return (gpa | 0x4330000000000000) >> 18;
}

function finishLeaf(block: usize, gpa: u64, write: bool): i32 {
  const raw = load<u64>(block + ((<usize>(gpa >> 12) & 63) << 3), ENTRIES);
  const irregular = (load<u64>(block, NAME) & IRREGULAR) != 0;
  const denied = irregular && ((load<u64>(block, DENIED) >> ((gpa >> 12) & 63)) & 1) != 0;
  if (write && ((raw & WRITE) == 0 || denied)) return finish(WALK_VIOLATION, 0, raw, 0);
  return finish(WALK_MAPPED, 0, raw, raw & ADDRESS);
}

/**
 * SDM vol. 3, invalidation of cached mappings: an EPT violation invalidates those that would be used to translate the address: here
 * its translation, and what is cached of the entries above it.
 */
function dropPath(slot: usize, gpa: u64): void {
  const root = rootOf(slot);
  const name = load<u64>(root, NAME);
  let links = root + ROOT_LINKS;
  store<u64>(root, name, ROOT_IRREGULAR);
  for (let level = load<u32>(slot, SLOT_LEVELS) - 1; level != 0; --level) {
    const block = <usize>load<u32>(linkFor(links, gpa, level));
    if (block == 0) return;
    const record = recordIn(block, gpa, level);
    store<u64>(record, 0, NAME);
    links = record + LINKS;
  }
  for (let i: usize = 0; i < 8; ++i) {
    const block = <usize>load<u32>(links + (i << 2));
    if (block != 0) store<u64>(block, 0, TABLE);
  }
  const block = <usize>load<u32>(linkFor(links, gpa, 0));
  if (block != 0) store<u64>(block, load<u64>(block, CACHED) & ~((<u64>1) << ((gpa >> 12) & 63)), CACHED);
}
