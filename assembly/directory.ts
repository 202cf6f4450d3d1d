/** Bounded capacity: for each package sets × ways slots {tag + 1 u64, last touch u64}; no sets means no bound. */
import { allocate } from './arena';
import { cacheSets, cacheWays, lru, packages } from './config';
import { drawEviction } from './mix';

const SLOT_SHIFT: usize = 4;
const TOUCHED = 8;
let slots: usize = 0;
let clock: u64 = 0;

export function initDirectory(): void {
  if (cacheSets != 0) slots = allocate((<usize>packages * <usize>cacheSets * <usize>cacheWays) << SLOT_SHIFT);
}

export function slotTotal(): u32 {
  return cacheSets * cacheWays;
}

export function slotAt(pkg: u32, slot: u32): usize {
  return slots + ((<usize>(pkg * slotTotal() + slot)) << SLOT_SHIFT);
}

function setOf(pkg: u32, line: u64): usize {
  return slotAt(pkg, (<u32>line & (cacheSets - 1)) * cacheWays);
}

function tagOf(line: u64, keyId: u32): u64 {
  return ((line << 16) | <u64>keyId) + 1;
}

export function isOccupied(slot: usize): bool {
  return load<u64>(slot) != 0;
}

export function slotLine(slot: usize): u64 {
  return (load<u64>(slot) - 1) >> 16;
}

export function slotKeyId(slot: usize): u32 {
  return <u32>(load<u64>(slot) - 1) & 0xffff;
}

/** Slot for a new line: the lowest free way, or the victim's. */
export function chooseSlot(pkg: u32, line: u64): usize {
  const first = setOf(pkg, line);
  const end = first + ((<usize>cacheWays) << SLOT_SHIFT);
  for (let at = first; at < end; at += 16) if (!isOccupied(at)) return at;
  if (!lru) return first + ((<usize>(drawEviction(pkg) & <u64>(cacheWays - 1))) << SLOT_SHIFT);
  let oldest = first;
  for (let at = first; at < end; at += 16) if (load<u64>(at, TOUCHED) < load<u64>(oldest, TOUCHED)) oldest = at;
  return oldest;
}

export function occupy(slot: usize, line: u64, keyId: u32): void {
  store<u64>(slot, tagOf(line, keyId));
  store<u64>(slot, ++clock, TOUCHED);
}

function findSlot(pkg: u32, line: u64, keyId: u32): usize {
  const tag = tagOf(line, keyId);
  const first = setOf(pkg, line);
  for (let at = first, end = first + ((<usize>cacheWays) << SLOT_SHIFT); at < end; at += 16) if (load<u64>(at) == tag) return at;
  return 0;
}

export function vacate(pkg: u32, line: u64, keyId: u32): void {
  const slot = findSlot(pkg, line, keyId);
  if (slot != 0) store<u64>(slot, 0);
}

/** A hit; only the least-recently-used policy cares. */
export function touch(pkg: u32, line: u64, keyId: u32): void {
  const slot = findSlot(pkg, line, keyId);
  if (slot != 0) store<u64>(slot, ++clock, TOUCHED);
}

/** WBINVD: nothing is held any more. */
export function clearPackage(pkg: u32): void {
  memory.fill(slotAt(pkg, 0), 0, (<usize>slotTotal()) << SLOT_SHIFT);
}
