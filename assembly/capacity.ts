/**
 * The capacity model as an instrument of its own (bindings/capacity.ts): the machine's directory with no lines behind it, driven by
 * streams of references. Lists come through the mailbox; hits and evictions go back there.
 */
import { initArena } from './arena';
import { cacheWays, lru, readConfig } from './config';
import {
  clearPackage,
  initDirectory,
  isOccupied,
  leastMark,
  nameOf,
  occupiedSlot,
  oldestAge,
  refer,
  rowBytes,
  rowOf,
  setMask,
  slotKeyId,
  slotLine,
  slotTotal,
  vacate,
  Ways,
} from './directory';
import { CAPACITY_EVICTIONS, CAPACITY_MISSES, CONFIG_MAX_PAGES } from './layout';
import { mailbox } from './memory-map';
import { drawEviction, mix } from './mix';

/** Reads the config from the mailbox, as the machine does. Once an instance, instead of `init`. */
export function initModel(): void {
  readConfig();
  initArena(load<u32>(mailbox, CONFIG_MAX_PAGES));
  initDirectory();
}

/** References of a generated stream are made ready this many at a time: what the loop over them needs stays in registers. */
const BATCH: u64 = 512;
let misses: u64 = 0;
let evictions: u64 = 0;

function begin(): void {
  misses = 0;
  evictions = 0;
}

function report(): void {
  store<f64>(mailbox, <f64>misses, CAPACITY_MISSES);
  store<f64>(mailbox, <f64>evictions, CAPACITY_EVICTIONS);
}

/**
 * LRU references to the names in [from, to), up to one that fills a free way or has the mark of another line in its set: the common
 * kinds, without a call and with nothing to work out that stays the same, since V8 would spill for the one and repeat the other.
 */
function referUntilOdd(from: usize, to: usize, rows: usize): usize {
  const bytes = rowBytes;
  const mask = setMask;
  const oldest = v128.load(oldestAge);
  const least = v128.load(leastMark);
  let missed: u32 = 0;
  let at = from;
  for (; at != to; at += 8) {
    const name = load<u64>(at);
    const row = rows + (<usize>name & mask) * bytes;
    const mark = Ways.mark(name, least);
    const like = Ways.like(Ways.marks(row), mark);
    const ages = Ways.ages(row);
    if (like == 0) {
      const way = <usize>ctz(Ways.like(ages, oldest));
      if (Ways.isFree(row, way)) break;
      Ways.fill(row, way, name, mark);
      Ways.touch(row, ages, oldest);
      ++missed;
    } else {
      const way = <usize>ctz(like);
      if (Ways.name(row, way) != name) break;
      Ways.touch(row, ages, v128.load8_splat(row + way));
    }
  }
  misses += <u64>missed;
  evictions += <u64>missed;
  return at;
}

function referOne(pkg: u32, name: u64): void {
  const outcome = refer(pkg, name);
  misses += <u64>(outcome & 1);
  evictions += <u64>(outcome >> 1);
}

function referNames(pkg: u32, count: u32): void {
  const to = mailbox + ((<usize>count) << 3);
  const rows = rowOf(pkg, 0);
  let at = lru ? referUntilOdd(mailbox, to, rows) : mailbox;
  while (at != to) {
    referOne(pkg, load<u64>(at));
    at = lru ? referUntilOdd(at + 8, to, rows) : at + 8;
  }
}

/** `count` line numbers (f64) in the mailbox. */
export function referList(pkg: u32, keyId: u32, count: u32): void {
  begin();
  for (let at = mailbox, to = mailbox + ((<usize>count) << 3); at != to; at += 8) {
    store<u64>(at, nameOf(<u64>load<f64>(at), keyId));
  }
  referNames(pkg, count);
  report();
}

/** Lines first + (n × stride mod lines) for n in [from, from + count); lines and stride below 2^32, stride at most lines. */
export function referSequence(pkg: u32, keyId: u32, first: u64, lines: u64, stride: u64, from: u64, count: u64): void {
  begin();
  const start = nameOf(first, keyId);
  const end = start + lines;
  let name = start + (((from % lines) * stride) % lines);
  for (let left = count; left != 0; ) {
    const batch = min<u64>(left, BATCH);
    for (let at = mailbox, to = mailbox + ((<usize>batch) << 3); at != to; at += 8) {
      store<u64>(at, name);
      name += stride;
      name -= name >= end ? lines : 0;
    }
    referNames(pkg, <u32>batch);
    left -= batch;
  }
  report();
}

/** Line n of the stream: first + ⌊high half of mix(seed + n) × lines / 2^32⌋; lines at most 2^32. */
export function referRandom(pkg: u32, keyId: u32, first: u64, lines: u64, seed: u64, from: u64, count: u64): void {
  begin();
  const start = nameOf(first, keyId);
  let n = seed + from;
  for (let left = count; left != 0; ) {
    const batch = min<u64>(left, BATCH);
    for (let at = mailbox, to = mailbox + ((<usize>batch) << 3); at != to; at += 8) {
      store<u64>(at, start + (((mix(n++) >> 32) * lines) >> 32));
    }
    referNames(pkg, <u32>batch);
    left -= batch;
  }
  report();
}

export function invalidate(pkg: u32, line: u64, keyId: u32): bool {
  return vacate(pkg, line, keyId);
}

export function clear(pkg: u32): void {
  clearPackage(pkg);
}

/** Lines that a package holds. */
export function held(pkg: u32): u32 {
  let lines: u32 = 0;
  const end = rowOf(pkg + 1, 0);
  for (let row = rowOf(pkg, 0); row != end; row += rowBytes) lines += <u32>popcnt(Ways.used(row));
  return lines;
}

/** As the machine's `evictSome`. */
export function evictSome(pkg: u32, wanted: u32): u32 {
  const count = min<u32>(wanted, held(pkg));
  for (let i: u32 = 0; i < count; ++i) {
    const slot = occupiedSlot(pkg, <u32>(drawEviction(pkg) % <u64>slotTotal()));
    vacate(pkg, slotLine(slot), slotKeyId(slot));
  }
  return count;
}

/** d := mix(d ^ {line << 16 | KeyID} + 1) over the slots in ascending order, 0 for a free one, from d = 0. */
export function digest(pkg: u32): u64 {
  let value: u64 = 0;
  const end = rowOf(pkg + 1, 0);
  for (let row = rowOf(pkg, 0); row != end; row += rowBytes) {
    for (let slot = row; slot < row + <usize>cacheWays; ++slot) {
      const tag = isOccupied(slot) ? ((slotLine(slot) << 16) | <u64>slotKeyId(slot)) + 1 : 0;
      value = mix(value ^ tag);
    }
  }
  return value;
}
