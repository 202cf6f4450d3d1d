/**
 * Bounded capacity: the sets and ways of each package (docs/memory-law.md, "Capacity and victims"). No sets means no bound.
 *
 * A set is a header of two rows, compared at once, and an exact name for each way:
 *
 *     marks   16 × u8      a byte made of the name, never 0; 0 = free
 *     ages    16 × u8      0 = touched last … ways - 1 = oldest; FAR beyond the last way
 *     names   ways × u64   1 | KeyID 15 bits | line / sets 48 bits; 0 = free
 *
 * Free ways are older than all others, and the lowest of them is the oldest: so under LRU the way to fill is always the oldest
 * one. Under random replacement the ages lie still.
 */
import { allocate } from './arena';
import { cacheSets, cacheWays, lru, packages } from './config';
import { drawEviction } from './mix';

export const HEADER_SHIFT: usize = 5;
const AGES: usize = 16;
const FAR: i32 = 127;
const USED: u64 = 1 << 63;
const KEY_ID_SHIFT: u64 = 48;
const LINE_MASK: u64 = ((<u64>1) << 48) - 1;
/** Multiplied, sums the bytes of a u64 in its top byte: up to 255 neighbours in one set get different marks. */
const BYTE_SUM: u64 = 0x0101010101010101;

let headers: usize = 0;
let names: usize = 0;
export let setShift: u32 = 0;
export let setMask: u64 = 0;
let wayShift: u32 = 0;
let wayMask: u32 = 0;
/** log2 of the bytes that the names of a set take. */
export let namesShift: usize = 0;

export function initDirectory(): void {
  if (cacheSets == 0) return;
  const sets = <usize>packages * <usize>cacheSets;
  setShift = <u32>ctz(cacheSets);
  setMask = <u64>(cacheSets - 1);
  wayShift = <u32>ctz(cacheWays);
  wayMask = cacheWays - 1;
  namesShift = <usize>(3 + wayShift);
  headers = allocate(sets << HEADER_SHIFT);
  names = allocate(sets << namesShift);
  for (let pkg: u32 = 0; pkg < packages; ++pkg) clearPackage(pkg);
}

/** Frees all slots of a package, in a walk over its sets. */
export function clearPackage(pkg: u32): void {
  if (cacheSets == 0) return;
  const none = i64x2.splat(0);
  const lanes = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const oldest = Ways.oldest();
  const ages = v128.bitselect(i8x16.sub(oldest, lanes), i8x16.splat(<i8>FAR), i8x16.le_s(lanes, oldest));
  const first = headerOf(pkg, 0);
  const end = first + ((<usize>cacheSets) << HEADER_SHIFT);
  for (let header = first; header < end; header += 1 << HEADER_SHIFT) {
    v128.store(header, none);
    v128.store(header, ages, AGES);
  }
  memory.fill(namesOf(first), 0, (<usize>cacheSets) << namesShift);
}

export function slotTotal(): u32 {
  return cacheSets * cacheWays;
}

export function headerOf(pkg: u32, line: u64): usize {
  return headers + ((((<usize>pkg) << setShift) | <usize>(line & setMask)) << HEADER_SHIFT);
}

export function namesOf(header: usize): usize {
  return names + (((header - headers) >> HEADER_SHIFT) << namesShift);
}

export function nameOf(line: u64, keyId: u32): u64 {
  return USED | ((<u64>keyId) << KEY_ID_SHIFT) | (line >> setShift);
}

function headerAt(slot: usize): usize {
  return headers + (((slot - names) >> namesShift) << HEADER_SHIFT);
}

function wayAt(slot: usize): usize {
  return ((slot - names) >> 3) & <usize>wayMask;
}

/** What one set can do. Inlined, so that a loop over references keeps the geometry in registers. */
export class Ways {
  /** The age of the oldest way, in every lane. */
  @inline
  static oldest(): v128 {
    return i8x16.splat(<i8>wayMask);
  }

  @inline
  static mark(name: u64): v128 {
    return i8x16.max_u(i8x16.splat(<i8>((name * BYTE_SUM) >> 56)), i8x16.splat(1));
  }

  @inline
  static ageOf(header: usize, way: usize): v128 {
    return v128.load8_splat(header + way, AGES);
  }

  /** Way of the name, or -1. */
  @inline
  static find(header: usize, slots: usize, name: u64, mark: v128): i32 {
    let way = -1;
    for (let like = <u32>i8x16.bitmask(i8x16.eq(v128.load(header), mark)); like != 0; like &= like - 1) {
      if (load<u64>(slots + ((<usize>ctz(like)) << 3)) == name) {
        way = <i32>ctz(like);
        break;
      }
    }
    return way;
  }

  /** The way of that age becomes the one touched last; those that were younger age by one. */
  @inline
  static touch(header: usize, age: v128): void {
    const ages = v128.load(header, AGES);
    const older = i8x16.sub(ages, i8x16.lt_s(ages, age));
    v128.store(header, v128.andnot(older, i8x16.eq(ages, age)), AGES);
  }

  /** The law's way for a new line: the lowest free one, or the victim's. */
  @inline
  static choose(pkg: u32, header: usize, oldest: v128): usize {
    return lru ? <usize>ctz(i8x16.bitmask(i8x16.eq(v128.load(header, AGES), oldest))) : chooseRandom(pkg, header);
  }

  @inline
  static put(header: usize, slots: usize, way: usize, name: u64, mark: v128): void {
    store<u8>(header + way, i8x16.extract_lane_u(mark, 0));
    store<u64>(slots + (way << 3), name);
    if (lru) Ways.touch(header, Ways.ageOf(header, way));
  }

  /** One reference: 0 a hit, 1 a fill of a free way, 3 a fill that displaced another line. */
  @inline
  static refer(pkg: u32, header: usize, slots: usize, name: u64, oldest: v128): u32 {
    const mark = Ways.mark(name);
    const found = Ways.find(header, slots, name, mark);
    let outcome: u32 = 0;
    if (found >= 0) {
      if (lru) Ways.touch(header, Ways.ageOf(header, <usize>found));
    } else {
      const way = Ways.choose(pkg, header, oldest);
      outcome = 1 + ((<u32>(load<u64>(slots + (way << 3)) >> 63)) << 1);
      Ways.put(header, slots, way, name, mark);
    }
    return outcome;
  }

  /** One bit a way that holds something. */
  @inline
  static used(header: usize): u32 {
    return <u32>i8x16.bitmask(i8x16.ne(v128.load(header), i64x2.splat(0)));
  }
}

function chooseRandom(pkg: u32, header: usize): usize {
  const free = ~Ways.used(header) & ((1 << cacheWays) - 1);
  return free != 0 ? <usize>ctz(free) : <usize>drawEviction(pkg) & <usize>wayMask;
}

/** A freed way goes behind all that are in use, and in front of the free ways below it. */
function retire(header: usize, way: usize): void {
  const before = ~Ways.used(header) & (((<u32>1) << (<u32>way)) - 1);
  const age = <u8>(wayMask - popcnt(before));
  const ages = v128.load(header, AGES);
  const passed = v128.and(i8x16.gt_s(ages, Ways.ageOf(header, way)), i8x16.le_s(ages, i8x16.splat(<i8>age)));
  v128.store(header, i8x16.add(ages, passed), AGES);
  store<u8>(header + way, age, AGES);
}

export function isOccupied(slot: usize): bool {
  return load<u8>(headerAt(slot) + wayAt(slot)) != 0;
}

export function slotLine(slot: usize): u64 {
  return ((load<u64>(slot) & LINE_MASK) << setShift) | (<u64>((slot - names) >> namesShift) & setMask);
}

export function slotKeyId(slot: usize): u32 {
  return <u32>(load<u64>(slot) >> KEY_ID_SHIFT) & 0x7fff;
}

/** The first occupied slot from number `slot` (set × ways + way) upwards, with wrap-around. The package must hold something. */
export function occupiedSlot(pkg: u32, slot: u32): usize {
  let set = <u64>(slot >> wayShift);
  let used = Ways.used(headerOf(pkg, set)) & (~(<u32>0) << (slot & wayMask));
  while (used == 0) {
    set = (set + 1) & setMask;
    used = Ways.used(headerOf(pkg, set));
  }
  return namesOf(headerOf(pkg, set)) + ((<usize>ctz(used)) << 3);
}

/** Slot for a new line: the lowest free way, or the victim's. */
export function chooseSlot(pkg: u32, line: u64): usize {
  const header = headerOf(pkg, line);
  return namesOf(header) + (Ways.choose(pkg, header, Ways.oldest()) << 3);
}

/** The new line in the slot that {@link chooseSlot} gave. */
export function occupy(slot: usize, line: u64, keyId: u32): void {
  const header = headerAt(slot);
  const name = nameOf(line, keyId);
  Ways.put(header, namesOf(header), wayAt(slot), name, Ways.mark(name));
}

/** Frees the line's slot. False when it has none. */
export function vacate(pkg: u32, line: u64, keyId: u32): bool {
  const header = headerOf(pkg, line);
  const slots = namesOf(header);
  const name = nameOf(line, keyId);
  const way = Ways.find(header, slots, name, Ways.mark(name));
  if (way < 0) return false;
  store<u64>(slots + ((<usize>way) << 3), 0);
  store<u8>(header + <usize>way, 0);
  if (lru) retire(header, <usize>way);
  return true;
}

/** A hit; only the least-recently-used policy cares. */
export function touch(pkg: u32, line: u64, keyId: u32): void {
  const header = headerOf(pkg, line);
  const name = nameOf(line, keyId);
  const way = Ways.find(header, namesOf(header), name, Ways.mark(name));
  if (way >= 0) Ways.touch(header, Ways.ageOf(header, <usize>way));
}
