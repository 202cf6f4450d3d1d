/**
 * Bounded capacity: the sets and ways of each package (docs/memory-law.md, "Capacity and victims"). No sets means no bound.
 *
 * A set is a row of memory: two vectors, each compared at once, and an exact name for each way:
 *
 *     ages    16 × u8      0 = touched last … ways - 1 = oldest; FAR beyond the last way
 *     marks   16 × u8      a byte made of the name, never 0; 0 = free
 *     names   ways × u64   KeyID 16 bits | line 48 bits; that of a free way means nothing
 *
 * Free ways are older than all others, and the lowest of them is the oldest: so under LRU the way to fill is always the oldest
 * one. Under random replacement the ages lie still. A slot is the address of its age: the set's row + the way.
 */
import { allocate } from './arena';
import { cacheSets, cacheWays, lru, packages } from './config';
import { drawEviction } from './mix';

const MARKS: usize = 16;
const NAMES: usize = 32;
/** Rows start at multiples of it. */
const ALIGN: usize = 32;
const WAY: usize = ALIGN - 1;
const FAR: i32 = 127;
const KEY_ID_SHIFT: u64 = 48;
const LINE_MASK: u64 = ((<u64>1) << 48) - 1;
/** Multiplied, sums the bytes of a u64 in its top byte: up to 255 neighbours in one set get different marks. */
const BYTE_SUM: u64 = 0x0101010101010101;

/** The age of the oldest way, and the least mark, in every lane. */
export const oldestAge: usize = memory.data(16, 16);
export const leastMark: usize = memory.data(16, 16);

let rows: usize = 0;
export let rowBytes: usize = 0;
export let setMask: usize = 0;
let wayShift: u32 = 0;
let wayMask: u32 = 0;

export function initDirectory(): void {
  if (cacheSets == 0) return;
  setMask = <usize>cacheSets - 1;
  wayShift = <u32>ctz(cacheWays);
  wayMask = cacheWays - 1;
  rowBytes = NAMES + max<usize>(ALIGN, (<usize>cacheWays) << 3);
  v128.store(oldestAge, i8x16.splat(<i8>wayMask));
  v128.store(leastMark, i8x16.splat(1));
  rows = allocate(<usize>packages * <usize>cacheSets * rowBytes);
  for (let pkg: u32 = 0; pkg < packages; ++pkg) clearPackage(pkg);
}

/** Frees all slots of a package, in a walk over its sets. */
export function clearPackage(pkg: u32): void {
  if (cacheSets == 0) return;
  const lanes = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const oldest = v128.load(oldestAge);
  const ages = v128.bitselect(i8x16.sub(oldest, lanes), i8x16.splat(<i8>FAR), i8x16.le_s(lanes, oldest));
  const end = rowOf(pkg + 1, 0);
  for (let row = rowOf(pkg, 0); row != end; row += rowBytes) {
    v128.store(row, ages);
    v128.store(row, i64x2.splat(0), MARKS);
  }
}

export function slotTotal(): u32 {
  return cacheSets * cacheWays;
}

export function rowOf(pkg: u32, line: u64): usize {
  return rows + (<usize>pkg * <usize>cacheSets + (<usize>line & setMask)) * rowBytes;
}

export function nameOf(line: u64, keyId: u32): u64 {
  return ((<u64>keyId) << KEY_ID_SHIFT) | line;
}

function rowAt(slot: usize): usize {
  return slot & ~WAY;
}

function nameAt(slot: usize): usize {
  return rowAt(slot) + NAMES + ((slot & WAY) << 3);
}

/** What one set can do. Inlined, so that a loop over references keeps the geometry in registers. */
export class Ways {
  @inline
  static mark(name: u64, least: v128): v128 {
    return i8x16.max_u(i8x16.splat(<i8>((name * BYTE_SUM) >> 56)), least);
  }

  @inline
  static ages(row: usize): v128 {
    return v128.load(row);
  }

  @inline
  static marks(row: usize): v128 {
    return v128.load(row, MARKS);
  }

  /** One bit a way that has this age or mark. */
  @inline
  static like(values: v128, value: v128): u32 {
    return <u32>i8x16.bitmask(i8x16.eq(values, value));
  }

  @inline
  static isFree(row: usize, way: usize): bool {
    return load<u8>(row + way, MARKS) == 0;
  }

  @inline
  static name(row: usize, way: usize): u64 {
    return load<u64>(row + (way << 3), NAMES);
  }

  /** The way of that age becomes the one touched last; those that were younger age by one. */
  @inline
  static touch(row: usize, ages: v128, age: v128): void {
    const older = i8x16.sub(ages, i8x16.lt_s(ages, age));
    v128.store(row, v128.andnot(older, i8x16.eq(ages, age)));
  }

  @inline
  static touchWay(row: usize, way: usize): void {
    Ways.touch(row, Ways.ages(row), v128.load8_splat(row + way));
  }

  @inline
  static fill(row: usize, way: usize, name: u64, mark: v128): void {
    v128.store8_lane(row + way, mark, 0, MARKS);
    store<u64>(row + (way << 3), name, NAMES);
  }

  /** One bit a way that holds something. */
  @inline
  static used(row: usize): u32 {
    return <u32>i8x16.bitmask(i8x16.ne(Ways.marks(row), i64x2.splat(0)));
  }
}

function markOf(name: u64): v128 {
  return Ways.mark(name, v128.load(leastMark));
}

/** Way of the name, or -1. */
function find(row: usize, name: u64): i32 {
  for (let like = Ways.like(Ways.marks(row), markOf(name)); like != 0; like &= like - 1) {
    if (Ways.name(row, <usize>ctz(like)) == name) return <i32>ctz(like);
  }
  return -1;
}

/** The law's way for a new line: the lowest free one, or the victim's. */
function choose(pkg: u32, row: usize): usize {
  if (lru) return <usize>ctz(Ways.like(Ways.ages(row), v128.load(oldestAge)));
  const free = ~Ways.used(row) & ((1 << cacheWays) - 1);
  return free != 0 ? <usize>ctz(free) : <usize>drawEviction(pkg) & <usize>wayMask;
}

function put(row: usize, way: usize, name: u64): void {
  Ways.fill(row, way, name, markOf(name));
  if (lru) Ways.touchWay(row, way);
}

/** One reference: 0 a hit, 1 a fill of a free way, 3 a fill that displaced another line. */
export function refer(pkg: u32, name: u64): u32 {
  const row = rowOf(pkg, name);
  const found = find(row, name);
  if (found >= 0) {
    if (lru) Ways.touchWay(row, <usize>found);
    return 0;
  }
  const way = choose(pkg, row);
  const outcome: u32 = Ways.isFree(row, way) ? 1 : 3;
  put(row, way, name);
  return outcome;
}

/** A freed way goes behind all that are in use, and in front of the free ways below it. */
function retire(row: usize, way: usize): void {
  const before = ~Ways.used(row) & (((<u32>1) << (<u32>way)) - 1);
  const age = <u8>(wayMask - popcnt(before));
  const ages = Ways.ages(row);
  const passed = v128.and(i8x16.gt_s(ages, v128.load8_splat(row + way)), i8x16.le_s(ages, i8x16.splat(<i8>age)));
  v128.store(row, i8x16.add(ages, passed));
  store<u8>(row + way, age);
}

export function isOccupied(slot: usize): bool {
  return load<u8>(slot, MARKS) != 0;
}

export function slotLine(slot: usize): u64 {
  return load<u64>(nameAt(slot)) & LINE_MASK;
}

export function slotKeyId(slot: usize): u32 {
  return <u32>(load<u64>(nameAt(slot)) >> KEY_ID_SHIFT);
}

/** The first occupied slot from number `slot` (set × ways + way) upwards, with wrap-around. The package must hold something. */
export function occupiedSlot(pkg: u32, slot: u32): usize {
  let row = rowOf(pkg, <u64>(slot >> wayShift));
  const end = rowOf(pkg + 1, 0);
  let used = Ways.used(row) & (~(<u32>0) << (slot & wayMask));
  while (used == 0) {
    row += rowBytes;
    if (row == end) row = rowOf(pkg, 0);
    used = Ways.used(row);
  }
  return row + <usize>ctz(used);
}

/** Slot for a new line: the lowest free way, or the victim's. */
export function chooseSlot(pkg: u32, line: u64): usize {
  const row = rowOf(pkg, line);
  return row + choose(pkg, row);
}

/** The new line in the slot that {@link chooseSlot} gave. */
export function occupy(slot: usize, line: u64, keyId: u32): void {
  put(rowAt(slot), slot & WAY, nameOf(line, keyId));
}

/** Frees the line's slot. False when it has none. */
export function vacate(pkg: u32, line: u64, keyId: u32): bool {
  const row = rowOf(pkg, line);
  const way = find(row, nameOf(line, keyId));
  if (way < 0) return false;
  store<u8>(row + <usize>way, 0, MARKS);
  if (lru) retire(row, <usize>way);
  return true;
}

/** A hit; only the least-recently-used policy cares. */
export function touch(pkg: u32, line: u64, keyId: u32): void {
  const row = rowOf(pkg, line);
  const way = find(row, nameOf(line, keyId));
  if (way >= 0) Ways.touchWay(row, <usize>way);
}
