/**
 * The S-EPT walks of a logical processor. Its TLB and paging-structure caches are architectural: they hold whatever was read, without
 * bound, until INVEPT (sept-cache.ts). Translations belong to a root, as the CPU's belong to an EPTP and a KeyID: another root does
 * not see them, and going back finds them as they were. Here are the walks that nothing stops, without a call; what they leave is
 * walked by sept-slow.ts.
 */

import { cacheSets, lru } from './config';
import { count } from './counters';
import { WALK_HPA, WALK_MAPPED, WALK_STATUS, WALK_VIOLATION } from './layout';
import { walkResult } from './memory-map';
import {
  CACHED,
  ENTRIES,
  frontOf,
  KNOWN,
  LINKS,
  NAME,
  RAW,
  REGION,
  ROOT_IRREGULAR,
  ROOT_LINKS,
  ROOT_PAGE,
  rootOf,
  SLOT_KEY_ID,
  SLOT_LEVELS,
  slotOf,
  TABLE,
} from './sept-cache';
import { ADDRESS, decisiveBits, finish, LEAF, READ, WRITE } from './sept-entry';
import { walkSlowly } from './sept-slow';
import { COUNTER_SEPT_WALK_STEPS, COUNTER_SEPT_WALKS, COUNTER_TLB_HITS, COUNTER_TLB_MISSES } from './spec/counters';
import { dataPage, POISONED, recentView, validIn } from './views';

/** The call: {what decides about an inner entry u64, steps above the leaves u32, misses u32, KeyID, package, root, levels, entry last used u64}. */
const DECISIVE = 0;
const STEPS = 8;
const MISSES = 12;
const KEY_ID = 16;
const PACKAGE = 20;
const ROOT = 24;
const LEVELS = 28;
const LAST = 32;
const call: usize = memory.data(64, 64);
const single: usize = memory.data(16, 16);

/** A double with the exponent of 2^52 has an integer below 2^52 in its low bits. */
const EXPONENT: u64 = 0x4330000000000000;
const TWO_52: f64 = 4503599627370496.0;

function bitsAt(list: usize, i: u32): u64 {
  return reinterpret<u64>(load<f64>(list + ((<usize>i) << 3)) + TWO_52);
}

function toF64(x: u64): f64 {
  return reinterpret<f64>(x | EXPONENT) - TWO_52;
}

/** Walks for the 4 KiB page at `gpa`. */
export function walk(lp: u32, slot: u32, pkg: u32, gpa: f64, write: bool): i32 {
  store<f64>(single, gpa);
  walkMany(lp, slot, pkg, single, single + 8, 1, write);
  return load<i32>(walkResult, WALK_STATUS);
}

/** Bytes of a table of the call's when the package holds the line with that index and it can be read at once; else 0. */
function readable(table: u64, line: u64): usize {
  const view = recentView(table >> 12, load<u32>(call, KEY_ID));
  if (view == 0) return 0;
  const lines = validIn(view, load<u32>(call, PACKAGE)) & ~load<u64>(view, POISONED);
  return ((lines >> line) & 1) == 0 ? 0 : dataPage(view);
}

/** Goes down to the block of leaf entries for the GPA and makes the front know it; 0 when something is out of the ordinary. */
function descend(bits: u64): usize {
  const root = <usize>load<u32>(call, ROOT);
  const name = load<u64>(root, NAME);
  const decisive = load<u64>(call, DECISIVE);
  const levels = load<u32>(call, LEVELS);
  let links = root + ROOT_LINKS;
  let raw = load<u64>(root, ROOT_PAGE);
  // The index of the table at hand is in the top 9 bits.
  let rest = bits << (52 - 9 * <u64>levels);
  for (let level = levels - 1; level != 0; --level) {
    const block = <usize>load<u32>(links + ((<usize>(rest >> 61)) << 2));
    if (block == 0) return 0;
    const record = block + (<usize>(rest >> 49) & 0xfc0);
    if (load<u64>(record, NAME) == name) {
      raw = load<u64>(record, RAW);
      if ((raw & LEAF) != 0) return 0;
    } else {
      const bytes = readable(raw & ADDRESS, rest >> 58);
      if (bytes == 0) return 0;
      raw = load<u64>(bytes + (<usize>(rest >> 52) & 0xff8));
      if ((raw & decisive) != (READ | WRITE)) return 0;
      store<u64>(record, name, NAME);
      store<u64>(record, raw, RAW);
      store<u32>(call, load<u32>(call, STEPS) + 1, STEPS);
    }
    links = record + LINKS;
    rest <<= 9;
  }
  const block = <usize>load<u32>(links + ((<usize>(rest >> 61)) << 2));
  if (block == 0) return 0;
  if (load<u64>(block, NAME) != name) {
    store<u64>(block, name, NAME);
    store<u64>(block, 0, CACHED);
  }
  store<u64>(block, (raw & ADDRESS) | KNOWN, TABLE);
  store<u64>(block, bits >> 18, REGION);
  store<u32>(frontOf(root, bits >> 18), <u32>block);
  return block;
}

/**
 * Goes on from walk `start` in one block of leaf entries: lines that can be read, pages that are mapped. Returns the first walk that it
 * leaves to others.
 */
function walkBlock(block: usize, from: usize, to: usize, start: u32, n: u32, rights: u64): u32 {
  const region = load<u64>(block, REGION);
  const good = READ | rights;
  const before = load<u64>(block, CACHED);
  let cached = before;
  let bytes: usize = 0;
  let lines: u64 = 0;
  let raw = load<u64>(call, LAST);
  let i = start;
  do {
    const bits = bitsAt(from, i);
    if (bits >> 18 != region) break;
    const entry = block + (<usize>(bits >> 9) & 0x1f8);
    if (((cached >> (bits >> 12)) & 1) != 0) {
      const known = load<u64>(entry, ENTRIES);
      if ((known & good) != good) break;
      raw = known;
    } else {
      if (((lines >> (bits >> 15)) & 1) == 0) {
        const table = load<u64>(block, TABLE);
        if (bytes != 0 || (table & 3) != KNOWN || load<u64>(call, DECISIVE) == 0) break;
        const view = recentView(table >> 12, load<u32>(call, KEY_ID));
        if (view == 0) break;
        bytes = dataPage(view);
        lines = validIn(view, load<u32>(call, PACKAGE)) & ~load<u64>(view, POISONED);
        if (bytes == 0 || ((lines >> (bits >> 15)) & 1) == 0) break;
      }
      const read = load<u64>(bytes + (<usize>(bits >> 9) & 0xff8));
      if ((read & ((load<u64>(call, DECISIVE) & ~(LEAF | WRITE)) | good)) != good) break;
      raw = read;
      store<u64>(entry, read, ENTRIES);
      cached |= (<u64>1) << (bits >> 12);
    }
    store<f64>(to + ((<usize>i) << 3), toF64(raw & ADDRESS));
    i += 1;
  } while (i != n);
  if (cached != before) {
    store<u64>(block, cached, CACHED);
    store<u32>(call, load<u32>(call, MISSES) + <u32>popcnt(cached ^ before), MISSES);
  }
  store<u64>(call, raw, LAST);
  return i;
}

/** Goes on from walk `start` while nothing is out of the ordinary, and adds these walks to the counters. */
function walkFast(from: usize, to: usize, start: u32, n: u32, rights: u64): u32 {
  const root = <usize>load<u32>(call, ROOT);
  const name = load<u64>(root, NAME);
  const descends = load<u64>(call, DECISIVE) != 0 && load<u64>(root, ROOT_IRREGULAR) != name;
  store<u64>(call, 0, STEPS);
  let i = start;
  while (i < n) {
    const bits = bitsAt(from, i);
    let block = <usize>load<u32>(frontOf(root, bits >> 18));
    if (load<u64>(block, NAME) != name || load<u64>(block, REGION) != bits >> 18) {
      block = descends && (bits & ~EXPONENT) >> (12 + 9 * <u64>load<u32>(call, LEVELS)) == 0 ? descend(bits) : 0;
      if (block == 0) break;
    }
    const next = walkBlock(block, from, to, i, n, rights);
    if (next == i) break;
    i = next;
  }
  const misses = load<u32>(call, MISSES);
  count(COUNTER_SEPT_WALKS, i - start);
  count(COUNTER_TLB_MISSES, misses);
  count(COUNTER_TLB_HITS, i - start - misses);
  count(COUNTER_SEPT_WALK_STEPS, misses + load<u32>(call, STEPS));
  return i;
}

/** A bounded cache that evicts the least recently used line is asked for each entry. */
function begin(slot: usize, pkg: u32): void {
  store<u64>(call, lru && cacheSets != 0 ? 0 : decisiveBits() | LEAF | WRITE, DECISIVE);
  store<u32>(call, load<u32>(slot, SLOT_KEY_ID), KEY_ID);
  store<u32>(call, pkg, PACKAGE);
  store<u32>(call, load<u32>(slot, SLOT_LEVELS), LEVELS);
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
  begin(slot, pkg);
  let i: u32 = 0;
  while (i < n) {
    store<u32>(call, <u32>rootOf(slot), ROOT);
    i = walkFast(from, to, i, n, write ? WRITE : 0);
    if (i == n) {
      const raw = load<u64>(call, LAST);
      finish(WALK_MAPPED, 0, raw, raw & ADDRESS);
      break;
    }
    if (walkSlowly(slot, pkg, bitsAt(from, i) & ~EXPONENT, write) != WALK_MAPPED) break;
    store<f64>(to + ((<usize>i) << 3), toF64(load<u64>(walkResult, WALK_HPA)));
    i += 1;
  }
  return i;
}
