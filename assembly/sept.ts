/**
 * The S-EPT walk of a logical processor. Its TLB and paging-structure caches are architectural: they hold whatever was read,
 * without bound, until INVEPT. One hash table an LP, {key, entry, root | writable, tag}; a new epoch in the key empties it at once.
 * Translations belong to a root, as the CPU's belong to an EPTP and a KeyID: another root does not see them, and going back finds
 * them as they were.
 */

import { holdLine } from './access';
import { donate, reserve, tryAllocate } from './arena';
import { isPoisoned } from './cache';
import { addressBits } from './config';
import { count } from './counters';
import { WALK_ENTRY, WALK_HPA, WALK_LEVEL, WALK_MAPPED, WALK_MISCONFIGURATION, WALK_POISON, WALK_VIOLATION } from './layout';
import { walkResult } from './memory-map';
import { cachedFault } from './origins';
import { dataPages } from './slabs';
import { COUNTER_SEPT_WALK_STEPS, COUNTER_SEPT_WALKS, COUNTER_TLB_HITS, COUNTER_TLB_MISSES } from './spec/counters';
import { cachedBytes } from './views';

export const MAX_LPS: u32 = 1024;
const SLOTS: usize = 16;
/** LP: {table, mask, entries, epoch} and 16 roots {root u64, tag u64: KeyID and levels}. */
const TABLE = 0;
const MASK = 4;
const ENTRIES = 8;
const EPOCH = 12;
const ROOTS: usize = 16;
const LP_BYTES: usize = 16 + SLOTS * 16;
const lps: usize = memory.data(4096, 16);

const ENTRY_SHIFT: usize = 5;
const RAW = 8;
const ROOT = 16;
const TAG = 24;
/** In the page offset of an entry's root. */
const WRITABLE: u64 = 1;
const FIRST_ENTRIES: u32 = 256;
const MAX_EPOCH: u32 = 0xffff;

/** S-EPT entry bits (layouts.md §9). */
const READ: u64 = 1;
const WRITE: u64 = 2;
const LEAF: u64 = 1 << 7;
const ADDRESS: u64 = 0x000ffffffffff000;
/** The largest leaf is 1 GiB. */
const LAST_LEAF_LEVEL: u32 = 2;
/** Codes in keys: leaves by level, then non-leaf entries by level. */
const NON_LEAF: u32 = 4;

function lpOf(lp: u32): usize {
  const slot = lps + ((<usize>lp) << 2);
  let at = <usize>load<u32>(slot);
  if (at != 0) return at;
  reserve();
  at = tryAllocate(LP_BYTES);
  store<u32>(at, <u32>tryAllocate((<usize>FIRST_ENTRIES) << ENTRY_SHIFT), TABLE);
  store<u32>(at, FIRST_ENTRIES - 1, MASK);
  store<u32>(at, 1, EPOCH);
  store<u32>(slot, <u32>at);
  return at;
}

function rootOf(at: usize, slot: u32): usize {
  return at + ROOTS + ((<usize>slot) << 4);
}

export function setRoot(lp: u32, slot: u32, pa: u64, keyId: u32, levels: u32): void {
  const root = rootOf(lpOf(lp), slot);
  store<u64>(root, pa);
  store<u32>(root, keyId, 8);
  store<u32>(root, levels, 12);
}

function keyFor(at: usize, code: u32, level: u32, gpa: u64): u64 {
  return ((<u64>load<u32>(at, EPOCH)) << 48) | ((<u64>code) << 44) | (gpa >> (12 + 9 * <u64>level));
}

/** Where the translation is, or where it would go. */
function place(at: usize, key: u64, pa: u64, tag: u64): usize {
  const table = <usize>load<u32>(at, TABLE);
  const mask = load<u32>(at, MASK);
  const epoch = key >> 48;
  let i = <u32>(((key ^ ((pa ^ tag) * 0xff51afd7ed558ccd)) * 0x9e3779b97f4a7c15) >> 40) & mask;
  while (true) {
    const entry = table + ((<usize>i) << ENTRY_SHIFT);
    const other = load<u64>(entry);
    if (other >> 48 != epoch) return entry;
    if (other == key && (load<u64>(entry, ROOT) & ADDRESS) == pa && load<u64>(entry, TAG) == tag) return entry;
    i = (i + 1) & mask;
  }
}

/** Cached entry or 0. */
function cached(at: usize, root: usize, code: u32, level: u32, gpa: u64): usize {
  const key = keyFor(at, code, level, gpa);
  const entry = place(at, key, load<u64>(root), load<u64>(root, 8));
  return load<u64>(entry) == key ? entry : 0;
}

function remember(at: usize, root: usize, code: u32, level: u32, gpa: u64, raw: u64, writable: bool): void {
  if (load<u32>(at, ENTRIES) << 1 > load<u32>(at, MASK)) grow(at);
  const key = keyFor(at, code, level, gpa);
  const pa = load<u64>(root);
  const tag = load<u64>(root, 8);
  const entry = place(at, key, pa, tag);
  if (load<u64>(entry) != key) store<u32>(at, load<u32>(at, ENTRIES) + 1, ENTRIES);
  store<u64>(entry, key);
  store<u64>(entry, raw, RAW);
  store<u64>(entry, pa | (writable ? WRITABLE : 0), ROOT);
  store<u64>(entry, tag, TAG);
}

/** Doubles the table; a TLB may also forget, and does when memory is short. */
function grow(at: usize): void {
  const oldTable = <usize>load<u32>(at, TABLE);
  const oldBytes = (<usize>(load<u32>(at, MASK) + 1)) << ENTRY_SHIFT;
  const table = tryAllocate(oldBytes << 1);
  if (table == 0) {
    dropAll(at);
    return;
  }
  store<u32>(at, <u32>table, TABLE);
  store<u32>(at, (load<u32>(at, MASK) << 1) | 1, MASK);
  for (let entry = oldTable; entry < oldTable + oldBytes; entry += 1 << ENTRY_SHIFT) {
    const key = load<u64>(entry);
    if (<u32>(key >> 48) != load<u32>(at, EPOCH)) continue;
    memory.copy(place(at, key, load<u64>(entry, ROOT) & ADDRESS, load<u64>(entry, TAG)), entry, 1 << ENTRY_SHIFT);
  }
  donate(dataPages, oldTable, oldBytes);
}

function dropAll(at: usize): void {
  const epoch = load<u32>(at, EPOCH) + 1;
  store<u32>(at, 0, ENTRIES);
  store<u32>(at, epoch > MAX_EPOCH ? 1 : epoch, EPOCH);
  if (epoch > MAX_EPOCH) memory.fill(load<u32>(at, TABLE), 0, (<usize>(load<u32>(at, MASK) + 1)) << ENTRY_SHIFT);
}

export function invept(lp: u32): void {
  if (load<u32>(lps + ((<usize>lp) << 2)) != 0) dropAll(lpOf(lp));
}

export function inveptAll(): void {
  for (let lp: u32 = 0; lp < MAX_LPS; ++lp) invept(lp);
}

function finish(status: i32, level: u32, raw: u64, hpa: u64): i32 {
  store<u64>(walkResult, hpa, WALK_HPA);
  store<u64>(walkResult, raw, WALK_ENTRY);
  store<u32>(walkResult, level, WALK_LEVEL);
  return status;
}

function finishLeaf(raw: u64, level: u32, gpa: u64, writable: bool, write: bool): i32 {
  if (write && !writable) return finish(WALK_VIOLATION, level, raw, 0);
  const inside = ((<u64>1) << (12 + 9 * level)) - 1;
  return finish(WALK_MAPPED, level, raw, (raw & ADDRESS & ~inside) | (gpa & inside & ADDRESS));
}

export function walk(lp: u32, slot: u32, pkg: u32, gpa: u64, write: bool): i32 {
  count(COUNTER_SEPT_WALKS);
  const at = lpOf(lp);
  const root = rootOf(at, slot);
  const levels = load<u32>(root, 12);
  if (levels == 0) return finish(WALK_VIOLATION, 0, 0, 0);
  for (let level: u32 = 0; level <= LAST_LEAF_LEVEL; ++level) {
    const hit = cached(at, root, level, level, gpa);
    if (hit == 0) continue;
    count(COUNTER_TLB_HITS);
    return finishLeaf(load<u64>(hit, RAW), level, gpa, (load<u64>(hit, ROOT) & WRITABLE) != 0, write);
  }
  count(COUNTER_TLB_MISSES);
  if (gpa >> (12 + 9 * <u64>levels) != 0) return finish(WALK_VIOLATION, levels - 1, 0, 0);
  for (let level: u32 = 1; level < levels; ++level) {
    const hit = cached(at, root, NON_LEAF + level, level, gpa);
    if (hit == 0) continue;
    return descend(at, root, pkg, gpa, write, load<u64>(hit, RAW) & ADDRESS, level - 1, (load<u64>(hit, ROOT) & WRITABLE) != 0);
  }
  return descend(at, root, pkg, gpa, write, load<u64>(root), levels - 1, true);
}

/** Reads entries from the table at `table` of level `first` downwards. */
function descend(at: usize, root: usize, pkg: u32, gpa: u64, write: bool, start: u64, first: u32, allowed: bool): i32 {
  let table = start;
  let writable = allowed;
  const keyId = load<u32>(root, 8);
  let level = first;
  while (true) {
    count(COUNTER_SEPT_WALK_STEPS);
    const pa = table + (((gpa >> (12 + 9 * <u64>level)) & 511) << 3);
    const index = <u32>(pa >> 6) & 63;
    const view = holdLine(pkg, pa >> 12, index, keyId);
    if (isPoisoned(view, (<u64>1) << index)) {
      cachedFault(pa >> 6, keyId);
      return finish(WALK_POISON, level, 0, 0);
    }
    const raw = load<u64>(cachedBytes(view, index) + (<usize>pa & 63));
    // SDM, EPT misconfigurations: write without read is one; anything else without read is not present for us.
    if ((raw & READ) == 0) return finish((raw & WRITE) != 0 ? WALK_MISCONFIGURATION : WALK_VIOLATION, level, raw, 0);
    // Bit 7 is ignored at 4 KiB: an ordinary EPT leaves it clear.
    const leaf = level == 0 || (raw & LEAF) != 0;
    if ((raw & ADDRESS) >> addressBits != 0 || (leaf && level > LAST_LEAF_LEVEL)) {
      return finish(WALK_MISCONFIGURATION, level, raw, 0);
    }
    if ((raw & WRITE) == 0) writable = false;
    remember(at, root, leaf ? level : NON_LEAF + level, level, gpa, raw, writable);
    if (leaf) return finishLeaf(raw, level, gpa, writable, write);
    table = raw & ADDRESS;
    level -= 1;
  }
}
