/**
 * The capacity model as an instrument of its own (bindings/capacity.ts): the machine's directory with no lines behind it, driven by
 * streams of references. Lists come through the mailbox; hits and evictions go back there.
 */
import { initArena } from './arena';
import { readConfig } from './config';
import {
  clearPackage,
  HEADER_SHIFT,
  headerOf,
  initDirectory,
  nameOf,
  namesOf,
  namesShift,
  occupiedSlot,
  setMask,
  setShift,
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

function report(misses: u64, evictions: u64): void {
  store<f64>(mailbox, <f64>misses, CAPACITY_MISSES);
  store<f64>(mailbox, <f64>evictions, CAPACITY_EVICTIONS);
}

/** `count` line numbers (f64) in the mailbox. */
export function referList(pkg: u32, keyId: u32, count: u32): void {
  const oldest = Ways.oldest();
  let misses: u64 = 0;
  let evictions: u64 = 0;
  for (let at = mailbox, end = mailbox + ((<usize>count) << 3); at < end; at += 8) {
    const line = <u64>load<f64>(at);
    const header = headerOf(pkg, line);
    const outcome = Ways.refer(pkg, header, namesOf(header), nameOf(line, keyId), oldest);
    misses += <u64>(outcome & 1);
    evictions += <u64>(outcome >> 1);
  }
  report(misses, evictions);
}

/** Lines first + (n × stride mod lines) for n in [from, from + count); lines and stride below 2^32, stride at most lines. */
export function referSequence(pkg: u32, keyId: u32, first: u64, lines: u64, stride: u64, from: u64, count: u64): void {
  const headers = headerOf(pkg, 0);
  const names = namesOf(headers);
  const oldest = Ways.oldest();
  const high = nameOf(0, keyId);
  const mask = setMask;
  const shift = <u64>setShift;
  const wide = namesShift;
  const end = first + lines;
  let line = first + (((from % lines) * stride) % lines);
  let misses: u64 = 0;
  let evictions: u64 = 0;
  for (let left = count; left != 0; --left) {
    const set = <usize>(line & mask);
    const outcome = Ways.refer(pkg, headers + (set << HEADER_SHIFT), names + (set << wide), high | (line >> shift), oldest);
    misses += <u64>(outcome & 1);
    evictions += <u64>(outcome >> 1);
    line += stride;
    if (line >= end) line -= lines;
  }
  report(misses, evictions);
}

/** Line n of the stream: first + ⌊high half of mix(seed + n) × lines / 2^32⌋; lines at most 2^32. */
export function referRandom(pkg: u32, keyId: u32, first: u64, lines: u64, seed: u64, from: u64, count: u64): void {
  const headers = headerOf(pkg, 0);
  const names = namesOf(headers);
  const oldest = Ways.oldest();
  const high = nameOf(0, keyId);
  const mask = setMask;
  const shift = <u64>setShift;
  const wide = namesShift;
  let misses: u64 = 0;
  let evictions: u64 = 0;
  for (let n = seed + from, end = n + count; n != end; ++n) {
    const line = first + (((mix(n) >> 32) * lines) >> 32);
    const set = <usize>(line & mask);
    const outcome = Ways.refer(pkg, headers + (set << HEADER_SHIFT), names + (set << wide), high | (line >> shift), oldest);
    misses += <u64>(outcome & 1);
    evictions += <u64>(outcome >> 1);
  }
  report(misses, evictions);
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
  for (let set: u64 = 0; set <= setMask; ++set) lines += <u32>popcnt(Ways.used(headerOf(pkg, set)));
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
  for (let set: u64 = 0; set <= setMask; ++set) {
    const header = headerOf(pkg, set);
    const used = Ways.used(header);
    const ways = slotTotal() >> setShift;
    for (let way: u32 = 0; way < ways; ++way) {
      const slot = namesOf(header) + ((<usize>way) << 3);
      const tag = ((used >> way) & 1) != 0 ? ((slotLine(slot) << 16) | <u64>slotKeyId(slot)) + 1 : 0;
      value = mix(value ^ tag);
    }
  }
  return value;
}
