/**
 * The S-EPT walks of a logical processor. Its TLB and paging-structure caches are architectural: they hold whatever was read, without
 * bound, until INVEPT (sept-cache.ts). Translations belong to a root, as the CPU's belong to an EPTP and a KeyID: another root does
 * not see them, and going back finds them as they were. Here are the walks that read nothing new, without a call: translations that
 * are cached, and those that memory still says, because what was read for them can be trusted. The rest is walked by sept-slow.ts.
 */

import { count } from './counters';
import { bitsOf, EXPONENT, TWO_52, toF64 } from './doubles';
import { WALK_HPA, WALK_MAPPED, WALK_STATUS, WALK_VIOLATION } from './layout';
import { walkResult } from './memory-map';
import {
  ABOVE,
  BLOCK_TRUST,
  CACHED,
  ENTRIES,
  frontOf,
  KNOWN,
  NAME,
  PLACE,
  placeOf,
  placesOf,
  rootOf,
  SLOT_LEVELS,
  slotOf,
  WRITABLE,
} from './sept-cache';
import { finish } from './sept-entry';
import { trustOf, walkSlowly } from './sept-slow';
import { COUNTER_SEPT_WALK_STEPS, COUNTER_SEPT_WALKS, COUNTER_TLB_HITS, COUNTER_TLB_MISSES } from './spec/counters';
import { SEPT_HPA_MASK } from './spec/sept';

const single: usize = memory.data(16, 16);
/** Leaf blocks of the walks ahead. */
const AHEAD: usize = 16;
const ahead: usize = memory.data(64, 64);

/** The call: what it asks for, and what the walks found. */
let root: usize = 0;
let name: u64 = 0;
let places: u64 = 0;
let trusted: u64 = 0;
/** A bit for each entry that need not be writable. */
let anyway: u64 = 0;
let levels: u32 = 0;
/** From a GPA to its HPA. */
let apart: usize = 0;
let misses: u32 = 0;
/** Entries above the leaves that were not cached. */
let above: u32 = 0;
let lastEntry: usize = 0;
/** Takes what is looked at ahead, so that it is looked at. */
const touched: usize = memory.data(8, 8);

/** Walks for the 4 KiB page at `gpa`. */
export function walk(lp: u32, slot: u32, pkg: u32, gpa: f64, write: bool): i32 {
  store<f64>(single, gpa);
  walkMany(lp, slot, pkg, single, single + 8, 1, write);
  return load<i32>(walkResult, WALK_STATUS);
}

/** In line: a call would cost as much as a walk. GPAs have the exponent of 2^52. */
class Fast {
  @inline
  static bit(gpa: u64): u64 {
    return (<u64>1) << (gpa >> 12);
  }

  @inline
  static entry(block: usize, gpa: u64): usize {
    return block + (<usize>(gpa >> 9) & 0x1f8);
  }

  @inline
  static cached(block: usize, name: u64): u64 {
    // Without a branch: whether a block was named before is anybody's guess.
    return select<u64>(load<u64>(block, CACHED), 0, load<u64>(block, NAME) == name);
  }

  /** Entries that need not be read. */
  @inline
  static usable(block: usize, cached: u64, trusted: u64, anyway: u64): u64 {
    const known = load<u64>(block, BLOCK_TRUST) == trusted ? load<u64>(block, KNOWN) : 0;
    return (cached | known) & (anyway | load<u64>(block, WRITABLE));
  }

  /** The entry is cached under `name` from now on; 1 when it was not. */
  @inline
  static name(block: usize, above: usize, name: u64): u32 {
    const at = <usize>load<u32>(block + ABOVE + (above << 2));
    const old = load<u64>(at);
    store<u64>(at, name);
    return old != name ? 1 : 0;
  }

  /** Caches entries of a block, and those above; returns how many of these were not cached. */
  @inline
  static cache(block: usize, entries: u64, name: u64, five: bool): u32 {
    store<u64>(block, name, NAME);
    store<u64>(block, entries, CACHED);
    const isNew = Fast.name(block, 0, name) + Fast.name(block, 1, name) + Fast.name(block, 2, name);
    return five ? isNew + Fast.name(block, 3, name) : isNew;
  }

  @inline
  static page(entry: usize): f64 {
    return toF64(load<u64>(entry, ENTRIES) & SEPT_HPA_MASK);
  }

  @inline
  static pages(entries: v128): v128 {
    const pages = v128.or(v128.and(entries, i64x2.splat(SEPT_HPA_MASK)), i64x2.splat(EXPONENT));
    return f64x2.sub(pages, f64x2.splat(TWO_52));
  }
}

/** Finds the blocks of walks that change block every time, and begins to load their entries: all at once, not one by one. */
function lookAhead(from: usize, end: usize): u32 {
  const root = places;
  const stop = min<usize>(end, from + (AHEAD << 3));
  let place: u64 = 0;
  let sum: u64 = 0;
  let to = ahead;
  for (let at = from; at != stop; at += 8) {
    const gpa = bitsOf(load<f64>(at));
    if (placeOf(gpa, root) == place) break;
    place = placeOf(gpa, root);
    const block = load<u32>(frontOf(place));
    if (load<u64>(block, PLACE) != place) break;
    sum |= load<u64>(Fast.entry(block, gpa), ENTRIES);
    store<u32>(to, block);
    to += 4;
  }
  store<u64>(touched, sum);
  return <u32>((to - ahead) >> 2);
}

/** `n` walks that each have another block. Returns where it stopped. */
function walkApart(from: usize, n: u32): usize {
  const to = apart;
  const now = name;
  const trust = trusted;
  const any = anyway;
  const five = levels == 5;
  const end = from + ((<usize>n) << 3);
  let isNew: u32 = 0;
  let fresh: u32 = 0;
  let entry = lastEntry;
  let at = from;
  for (let next = ahead; at != end; next += 4) {
    const gpa = bitsOf(load<f64>(at));
    const block = <usize>load<u32>(next);
    const bit = Fast.bit(gpa);
    const cached = Fast.cached(block, now);
    if ((bit & Fast.usable(block, cached, trust, any)) == 0) break;
    entry = Fast.entry(block, gpa);
    store<f64>(at + to, Fast.page(entry));
    at += 8;
    if ((bit & cached) != 0) continue;
    fresh += 1;
    isNew += Fast.cache(block, cached | bit, now, five);
  }
  lastEntry = entry;
  misses += fresh;
  above += isNew;
  return at;
}

/** Walks for pages that follow `gpa`, two at a time, as far as the block maps them and they may be used. Returns where it stopped. */
function walkRun(entry: usize, gpa: u64, others: u64, from: usize, end: usize): usize {
  const to = apart;
  const page = (gpa >> 12) & 63;
  // One bit stands for the end of the block.
  const pages = ctz(((others >> page) >> 1) | ((<u64>1) << (63 - page)));
  const most = min<usize>((<usize>pages) << 3, end - from);
  const stop = from + (most & ~15);
  let expected = i64x2.add(i64x2.splat(gpa), i64x2(4096, 8192));
  let next = entry + 8;
  let at = from;
  for (; at != stop; at += 16) {
    const two = f64x2.add(v128.load(at), f64x2.splat(TWO_52));
    if (!i64x2.all_true(i64x2.eq(two, expected))) break;
    v128.store(at + to, Fast.pages(v128.load(next, ENTRIES)));
    expected = i64x2.add(expected, i64x2.splat(8192));
    next += 16;
  }
  return at;
}

/** Walks that all have one block. Returns where it stopped. */
function walkBlock(block: usize, from: usize, end: usize): usize {
  const base = bitsOf(load<f64>(from));
  if (load<u64>(block, PLACE) != placeOf(base, places)) return from;
  const cached = Fast.cached(block, name);
  const others = ~Fast.usable(block, cached, trusted, anyway);
  let used: u64 = 0;
  let at = from;
  while (at != end) {
    const gpa = bitsOf(load<f64>(at));
    if ((gpa ^ base) >> 18 != 0 || (Fast.bit(gpa) & others) != 0) break;
    const entry = Fast.entry(block, gpa);
    store<f64>(at + apart, Fast.page(entry));
    const next = walkRun(entry, gpa, others, at + 8, end);
    const bytes = next - at;
    used |= (~(<u64>0) >> (64 - <u64>(bytes >> 3))) << (gpa >> 12);
    lastEntry = entry + bytes - 8;
    at = next;
  }
  if ((used & ~cached) == 0) return at;
  misses += <u32>popcnt(used & ~cached);
  above += Fast.cache(block, cached | used, name, levels == 5);
  return at;
}

/** Walks on while nothing needs to be read. Returns where it stopped. */
function walkFast(from: usize, end: usize): usize {
  misses = 0;
  above = 0;
  let at = from;
  while (at != end) {
    const place = placeOf(bitsOf(load<f64>(at)), places);
    // What lies behind the end decides nothing but the way.
    const isAlone = placeOf(bitsOf(load<f64>(at, 8)), places) != place;
    const next = isAlone ? walkApart(at, lookAhead(at, end)) : walkBlock(load<u32>(frontOf(place)), at, end);
    if (next == at) break;
    at = next;
  }
  count(COUNTER_TLB_MISSES, misses);
  count(COUNTER_SEPT_WALK_STEPS, misses + above);
  count(COUNTER_TLB_HITS, <u64>((at - from) >> 3) - misses);
  count(COUNTER_SEPT_WALKS, <u64>((at - from) >> 3));
  return at;
}

/**
 * Walks for `n` 4 KiB pages: GPAs at `from`, HPAs at `to`, as doubles. Stops at the first that is not mapped; the walk record
 * describes the last walk. Returns how many were mapped.
 */
export function walkMany(lp: u32, slotNumber: u32, pkg: u32, from: usize, to: usize, n: u32, write: bool): u32 {
  const slot = slotOf(lp, slotNumber);
  levels = slot == 0 ? 0 : load<u32>(slot, SLOT_LEVELS);
  if (levels == 0) {
    count(COUNTER_SEPT_WALKS);
    finish(WALK_VIOLATION, 0, 0, 0);
    return 0;
  }
  anyway = write ? 0 : ~(<u64>0);
  apart = to - from;
  const end = from + ((<usize>n) << 3);
  let at = from;
  while (at != end) {
    setOff(slot, pkg);
    at = walkFast(at, end);
    if (at == end) {
      const raw = load<u64>(lastEntry, ENTRIES);
      finish(WALK_MAPPED, 0, raw, raw & SEPT_HPA_MASK);
      break;
    }
    if (walkSlowly(slot, pkg, bitsOf(load<f64>(at)) & ~EXPONENT, write) != WALK_MAPPED) break;
    store<f64>(at + apart, toF64(load<u64>(walkResult, WALK_HPA)));
    at += 8;
  }
  return <u32>((at - from) >> 3);
}

/** A walk on the slow way may have changed all of this. */
function setOff(slot: usize, pkg: u32): void {
  root = rootOf(slot);
  name = load<u64>(root, NAME);
  places = placesOf(root);
  trusted = trustOf(root, pkg);
}
