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
/** Entry of the last walk that went fast. */
let last: u64 = 0;

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

  /** Entries that need not be read: `anyway` has a bit for those that need not be writable. */
  @inline
  static usable(block: usize, cached: u64, now: u64, anyway: u64): u64 {
    const known = load<u64>(block, BLOCK_TRUST) == now ? load<u64>(block, KNOWN) : 0;
    return (cached | known) & (anyway | load<u64>(block, WRITABLE));
  }

  /** The entry above the block's table is cached under `name` from now on; 1 when it was not. */
  @inline
  static name(block: usize, above: usize, name: u64): u32 {
    const record = <usize>load<u32>(block + ABOVE + (above << 2));
    const isNew: u32 = load<u64>(record, NAME) != name ? 1 : 0;
    store<u64>(record, name, NAME);
    return isNew;
  }

  /** The table's entry and those above; returns how many of these were not cached. */
  @inline
  static names(block: usize, levels: u32, name: u64): u32 {
    const isNew = Fast.name(block, 0, name) + Fast.name(block, 1, name) + Fast.name(block, 2, name);
    return levels == 5 ? isNew + Fast.name(block, 3, name) : isNew;
  }

  /** The HPAs of two entries. */
  @inline
  static pages(first: usize, second: usize): v128 {
    const entries = v128.load64_lane(second, v128.load64_zero(first, ENTRIES), 1, ENTRIES);
    const pages = v128.or(v128.and(entries, i64x2.splat(SEPT_HPA_MASK)), i64x2.splat(EXPONENT));
    return f64x2.sub(pages, f64x2.splat(TWO_52));
  }
}

/** Walks on from `from` while nothing needs to be read; HPAs go to `from + apart`. Returns where it stopped. */
function walkFast(root: usize, levels: u32, now: u64, from: usize, apart: usize, end: usize, anyway: u64): usize {
  const name = load<u64>(root, NAME);
  const places = placesOf(root);
  let misses: u32 = 0;
  let above: u32 = 0;
  let lastEntry: usize = 0;
  let at = from;
  while (at != end) {
    const gpa = bitsOf(load<f64>(at));
    const place = placeOf(gpa, places);
    const block = <usize>load<u32>(frontOf(place));
    if (load<u64>(block, PLACE) != place) break;
    const cached = load<u64>(block, NAME) == name ? load<u64>(block, CACHED) : 0;
    const usable = Fast.usable(block, cached, now, anyway);
    const region = i64x2.splat(gpa >> 18);
    let used: u64 = 0;
    for (; end - at >= 16; at += 16) {
      const two = f64x2.add(v128.load(at), f64x2.splat(TWO_52));
      if (!i64x2.all_true(i64x2.eq(i64x2.shr_u(two, 18), region))) break;
      const first = <u64>i64x2.extract_lane(two, 0);
      const second = <u64>i64x2.extract_lane(two, 1);
      const both = Fast.bit(first) | Fast.bit(second);
      if ((both & ~usable) != 0) break;
      used |= both;
      lastEntry = Fast.entry(block, second);
      v128.store(at + apart, Fast.pages(Fast.entry(block, first), lastEntry));
    }
    if (used == 0) {
      used = Fast.bit(gpa);
      if ((used & usable) == 0) break;
      lastEntry = Fast.entry(block, gpa);
      store<f64>(at + apart, toF64(load<u64>(lastEntry, ENTRIES) & SEPT_HPA_MASK));
      at += 8;
    }
    if ((used & ~cached) == 0) continue;
    above += Fast.names(block, levels, name);
    misses += <u32>popcnt(used & ~cached);
    store<u64>(block, name, NAME);
    store<u64>(block, cached | used, CACHED);
  }
  if (at != from) last = load<u64>(lastEntry, ENTRIES);
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
  const levels = slot == 0 ? 0 : load<u32>(slot, SLOT_LEVELS);
  if (levels == 0) {
    count(COUNTER_SEPT_WALKS);
    finish(WALK_VIOLATION, 0, 0, 0);
    return 0;
  }
  const end = from + ((<usize>n) << 3);
  let at = from;
  while (at != end) {
    const root = rootOf(slot);
    at = walkFast(root, levels, trustOf(root, pkg), at, to - from, end, write ? 0 : ~(<u64>0));
    if (at == end) {
      finish(WALK_MAPPED, 0, last, last & SEPT_HPA_MASK);
      break;
    }
    if (walkSlowly(slot, pkg, bitsOf(load<f64>(at)) & ~EXPONENT, write) != WALK_MAPPED) break;
    store<f64>(at + to - from, toF64(load<u64>(walkResult, WALK_HPA)));
    at += 8;
  }
  return <u32>((at - from) >> 3);
}
