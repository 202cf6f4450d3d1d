/**
 * One S-EPT walk, whatever it meets. It starts at the deepest entry that is cached for the address. The parents of a cached entry are
 * cached as well, and may be read and written through, except under a root that is irregular: a violation took some of them away, or
 * the tables deny something above the leaves. What is read on a regular way from the root down can be trusted from then on.
 */

import { holdLine } from './access';
import { isPoisoned } from './cache';
import { lru } from './config';
import { count } from './counters';
import { EXPONENT } from './doubles';
import { WALK_MAPPED, WALK_MISCONFIGURATION, WALK_POISON, WALK_VIOLATION } from './layout';
import { cachedFault } from './origins';
import {
  ABOVE,
  BLOCK_TRUST,
  bears,
  bind,
  CACHED,
  ENTRIES,
  forgetSlot,
  frontOf,
  KNOWN,
  LINKS,
  NAME,
  NO_READ,
  nameIn,
  PLACE,
  placeOf,
  placesOf,
  RAW,
  RECORD_TRUST,
  ROOT_IRREGULAR,
  ROOT_LINKS,
  recordIn,
  rootOf,
  SLOT_KEY_ID,
  SLOT_LEVELS,
  SLOT_PAGE,
  WRITABLE,
} from './sept-cache';
import { denials, finish, isLeaf, isMisconfigured, isPresent, pageIn } from './sept-entry';
import { COUNTER_SEPT_WALK_STEPS, COUNTER_SEPT_WALKS, COUNTER_TLB_HITS, COUNTER_TLB_MISSES } from './spec/counters';
import { SEPT_HPA_MASK } from './spec/sept';
import { cachedBytes, trust, trustedView, trustPage, validIn } from './views';

/** Beside the walk statuses: the mirror was lost on the way, and the walk goes on. */
const LOST: i32 = -2;
const ON: i32 = -1;

/** No block has it. */
const NO_TRUST: u64 = 0;
const NEVER_TRUSTED: u64 = 1;
/** Which package's cache it was that had the lines. */
const PACKAGE_BITS: u64 = 4;

/** The walk: where it is (a record, or the root before the first one), what it has read there, and what the way there denies. */
let at: usize = 0;
let raw: u64 = 0;
let denied: u64 = 0;
let level: u32 = 0;
/** Trust of what is read next, or {@link NO_TRUST}. */
let now: u64 = 0;
/** Entries that the walk has read. */
let steps: u32 = 0;
/** Names on the way, by level. */
const way: usize = memory.data(32, 16);

/** What a block bears that `pkg` may trust now. A bounded cache that evicts the least recently used line is asked for each entry. */
export function trustOf(root: usize, pkg: u32): u64 {
  const irregular = load<u64>(root, ROOT_IRREGULAR) == load<u64>(root, NAME);
  return irregular || lru ? NEVER_TRUSTED : (trust << PACKAGE_BITS) | <u64>pkg;
}

/** Walks for the 4 KiB page at `gpa`. */
export function walkSlowly(slot: usize, pkg: u32, gpa: u64, write: bool): i32 {
  count(COUNTER_SEPT_WALKS);
  steps = 0;
  const levels = load<u32>(slot, SLOT_LEVELS);
  if (gpa >> (12 + 9 * <u64>levels) != 0) {
    count(COUNTER_TLB_MISSES);
    return finish(WALK_VIOLATION, levels - 1, 0, 0);
  }
  let status = translate(slot, pkg, gpa, write);
  while (status == LOST) {
    forgetSlot(slot);
    status = translate(slot, pkg, gpa, write);
  }
  count(steps == 0 ? COUNTER_TLB_HITS : COUNTER_TLB_MISSES);
  count(COUNTER_SEPT_WALK_STEPS, steps);
  if (status == WALK_VIOLATION) dropPath(slot, gpa);
  return status;
}

function translate(slot: usize, pkg: u32, gpa: u64, write: bool): i32 {
  const root = rootOf(slot);
  const name = load<u64>(root, NAME);
  const block = start(slot, root, gpa);
  if (block != 0 && load<u64>(block, NAME) == name && ((load<u64>(block, CACHED) >> pageOf(gpa)) & 1) != 0)
    return finishLeaf(block, gpa, write);
  now = trustOf(root, pkg);
  if (now == NEVER_TRUSTED || (at != root && load<u64>(at, RECORD_TRUST) != now)) now = NO_TRUST;
  while (level > 1 && (at == root || !isLeaf(raw, level))) {
    const status = descend(slot, root, pkg, gpa);
    if (status != ON) return status;
  }
  if (at == root || !isLeaf(raw, level)) return readLeaf(slot, root, pkg, gpa, write);
  if (denied != 0 && (write || (denied & NO_READ) != 0)) return finish(WALK_VIOLATION, level, raw, 0);
  return finish(WALK_MAPPED, level, raw, pageIn(raw, level, gpa));
}

function pageOf(gpa: u64): u64 {
  return (gpa >> 12) & 63;
}

/** The link to the block in which the table at hand has its entry for `gpa`. */
function linkFor(links: usize, gpa: u64, level: u32): usize {
  return links + ((<usize>(gpa >> (18 + 9 * <u64>level)) & 7) << 2);
}

function linksOf(at: usize, root: usize): usize {
  return at == root ? root + ROOT_LINKS : at + LINKS;
}

/** Which entry of an inner block. */
function indexIn(gpa: u64, level: u32): usize {
  return <usize>(gpa >> (12 + 9 * <u64>level)) & 63;
}

/** Puts the walk at the root, or at the deepest record on the way that is cached. Returns the leaf block, if there is one. */
function start(slot: usize, root: usize, gpa: u64): usize {
  at = root;
  raw = load<u64>(slot, SLOT_PAGE);
  denied = 0;
  level = load<u32>(slot, SLOT_LEVELS);
  const name = load<u64>(root, NAME);
  let links = root + ROOT_LINKS;
  for (let next = level - 1; next != 0; --next) {
    const block = <usize>load<u32>(linkFor(links, gpa, next));
    if (block == 0) return 0;
    const index = indexIn(gpa, next);
    const its = nameIn(block, index);
    const record = recordIn(block, index);
    store<u32>(way + ((<usize>next) << 2), <u32>its);
    if (bears(its, name)) {
      at = record;
      raw = load<u64>(record, RAW);
      denied = load<u64>(its) - name;
      level = next;
    }
    links = record + LINKS;
  }
  return load<u32>(linkFor(links, gpa, 0));
}

/** Reads the entry for `gpa` of the table at hand through the package's cache. */
function readEntry(slot: usize, pkg: u32, gpa: u64): i32 {
  level -= 1;
  steps += 1;
  const entry = (raw & SEPT_HPA_MASK) | (((gpa >> (12 + 9 * <u64>level)) & 511) << 3);
  const keyId = load<u32>(slot, SLOT_KEY_ID);
  const index = <u32>(entry >> 6) & 63;
  const view = hold(pkg, entry >> 12, index, keyId);
  if (isPoisoned(view, (<u64>1) << index)) {
    cachedFault(entry >> 6, keyId);
    return finish(WALK_POISON, level, 0, 0);
  }
  raw = load<u64>(cachedBytes(view, index) + (<usize>entry & 0x38));
  if (!isPresent(raw)) return finish(WALK_VIOLATION, level, raw, 0);
  return isMisconfigured(raw, level) ? finish(WALK_MISCONFIGURATION, level, raw, 0) : ON;
}

/** The view in which the package holds a line of a table. When a bounded cache makes room, the trust in any page may end. */
function hold(pkg: u32, frame: u64, index: u32, keyId: u32): usize {
  let view = trustedView(frame, keyId);
  if (view != 0 && ((validIn(view, pkg) >> index) & 1) != 0) return view;
  const before = trust;
  view = holdLine(pkg, frame, index, keyId);
  if (!lru) trustPage(frame, keyId);
  if (trust != before) now = NO_TRUST;
  return view;
}

/** Reads one entry above the leaves, and caches it. */
function descend(slot: usize, root: usize, pkg: u32, gpa: u64): i32 {
  const block = bind(slot, linkFor(linksOf(at, root), gpa, level - 1), false);
  if (block == 0) return LOST;
  const status = readEntry(slot, pkg, gpa);
  if (status != ON) return status;
  const name = load<u64>(root, NAME);
  denied |= denials(raw);
  if (denied != 0) {
    store<u64>(root, name, ROOT_IRREGULAR);
    now = NO_TRUST;
  }
  const index = indexIn(gpa, level);
  at = recordIn(block, index);
  store<u32>(way + ((<usize>level) << 2), <u32>nameIn(block, index));
  store<u64>(nameIn(block, index), name | denied);
  store<u64>(at, raw, RAW);
  store<u64>(at, now, RECORD_TRUST);
  return ON;
}

/** Reads the leaf entry of `gpa`, and caches it unless it is of no use. */
function readLeaf(slot: usize, root: usize, pkg: u32, gpa: u64, write: bool): i32 {
  const link = linkFor(linksOf(at, root), gpa, 0);
  const block = bind(slot, link, true);
  if (block == 0) return LOST;
  const status = readEntry(slot, pkg, gpa);
  if (status != ON) return status;
  denied |= denials(raw);
  if ((denied & NO_READ) != 0) return finish(WALK_VIOLATION, 0, raw, 0);
  const place = placeOf(gpa | EXPONENT, placesOf(root));
  store<u64>(block, place, PLACE);
  store<u32>(frontOf(place), <u32>block);
  cacheLeaf(block, load<u64>(root, NAME), pageOf(gpa));
  return finishLeaf(block, gpa, write);
}

function cacheLeaf(block: usize, name: u64, page: u64): void {
  const bit = (<u64>1) << page;
  const cached = load<u64>(block, NAME) == name ? load<u64>(block, CACHED) : 0;
  if (load<u64>(block, BLOCK_TRUST) != now) {
    store<u64>(block, now, BLOCK_TRUST);
    store<u64>(block, 0, KNOWN);
    v128.store(block, v128.load(way, 4), ABOVE);
  }
  const others = load<u64>(block, WRITABLE) & ~bit;
  store<u64>(block, denied == 0 ? others | bit : others, WRITABLE);
  store<u64>(block, name, NAME);
  store<u64>(block, cached | bit, CACHED);
  store<u64>(block, load<u64>(block, KNOWN) | bit, KNOWN);
  store<u64>(block + ((<usize>page) << 3), raw, ENTRIES);
}

function finishLeaf(block: usize, gpa: u64, write: bool): i32 {
  const page = pageOf(gpa);
  const entry = load<u64>(block + ((<usize>page) << 3), ENTRIES);
  if (write && ((load<u64>(block, WRITABLE) >> page) & 1) == 0) return finish(WALK_VIOLATION, 0, entry, 0);
  return finish(WALK_MAPPED, 0, entry, entry & SEPT_HPA_MASK);
}

/**
 * SDM vol. 3, invalidation of cached mappings: an EPT violation invalidates those that would be used to translate the address: here
 * its translation, and what is cached of the entries above it.
 */
function dropPath(slot: usize, gpa: u64): void {
  const root = rootOf(slot);
  store<u64>(root, load<u64>(root, NAME), ROOT_IRREGULAR);
  let links = root + ROOT_LINKS;
  for (let next = load<u32>(slot, SLOT_LEVELS) - 1; next != 0; --next) {
    const block = <usize>load<u32>(linkFor(links, gpa, next));
    if (block == 0) return;
    const index = indexIn(gpa, next);
    store<u64>(nameIn(block, index), 0);
    links = recordIn(block, index) + LINKS;
  }
  const block = <usize>load<u32>(linkFor(links, gpa, 0));
  if (block != 0) store<u64>(block, load<u64>(block, CACHED) & ~((<u64>1) << pageOf(gpa)), CACHED);
}
