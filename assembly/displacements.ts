/** Log of the controller writes that changed a line's KeyID or TD bit: ranges in a ring, newest kept. */

import { donate, tryAllocate } from './arena';
import { count } from './counters';
import { event } from './events';
import { instanceKeyId } from './keys';
import {
  DISPLACEMENT_BYTES,
  DISPLACEMENT_CAUSE,
  DISPLACEMENT_EVENT,
  DISPLACEMENT_KEY_ID,
  DISPLACEMENT_LINE,
  DISPLACEMENT_LINES,
  DISPLACEMENT_OLD_KEY_ID,
  DISPLACEMENT_OLD_TD_BIT,
  DISPLACEMENT_OLD_WRITER,
  DISPLACEMENT_TD_BIT,
  DISPLACEMENT_WRITER,
} from './layout';
import { dataPages } from './slabs';
import { COUNTER_DISPLACEMENTS } from './spec/counters';
import { INSTANCE, TD } from './tags';

const FIRST_CAPACITY: u32 = 1024;
const LAST_CAPACITY: u32 = 65536;
const RECORD: usize = DISPLACEMENT_BYTES;

const scratch: usize = memory.data(DISPLACEMENT_BYTES, 16);
let ring: usize = 0;
let capacity: u32 = 0;
let size: u32 = 0;
let next: u32 = 0;

export function changesOwner(oldTag: u32, newTag: u32): bool {
  if (((oldTag ^ newTag) & (INSTANCE | TD)) == 0) return false;
  return ((oldTag ^ newTag) & TD) != 0 || instanceKeyId(oldTag & INSTANCE) != instanceKeyId(newTag & INSTANCE);
}

/** Doubles the ring while it has never wrapped; it keeps its size when memory is short. */
function grow(): bool {
  const wider = capacity == 0 ? FIRST_CAPACITY : capacity << 1;
  if (wider > LAST_CAPACITY) return false;
  const at = tryAllocate(<usize>wider * RECORD);
  if (at == 0) return false;
  const oldBytes = <usize>capacity * RECORD;
  // The ring is full, and the oldest record is at `next`: it may have wrapped when memory was short before.
  const tail = <usize>next * RECORD;
  memory.copy(at, ring + tail, oldBytes - tail);
  memory.copy(at + oldBytes - tail, ring, tail);
  if (capacity != 0) donate(dataPages, ring, oldBytes);
  ring = at;
  next = size;
  capacity = wider;
  return true;
}

/** Logs `lines` lines from `line` on; extends the newest record when it goes on in the same way. */
export function logDisplacement(line: u64, lines: u64, cause: i32, newTag: u32, writer: u32, oldTag: u32, oldWriter: u32): void {
  count(COUNTER_DISPLACEMENTS, lines);
  fill(scratch, line, lines, cause, newTag, writer, oldTag, oldWriter);
  if (size != 0 && extendsNewest()) return;
  if (size == capacity && !grow() && capacity == 0) return;
  memory.copy(ring + <usize>next * RECORD, scratch, RECORD);
  next = next + 1 == capacity ? 0 : next + 1;
  if (size < capacity) size += 1;
}

function fill(at: usize, line: u64, lines: u64, cause: i32, newTag: u32, writer: u32, oldTag: u32, oldWriter: u32): void {
  store<u64>(at, line, DISPLACEMENT_LINE);
  store<u64>(at, lines, DISPLACEMENT_LINES);
  store<i32>(at, cause, DISPLACEMENT_CAUSE);
  store<u32>(at, event, DISPLACEMENT_EVENT);
  store<u32>(at, instanceKeyId(newTag & INSTANCE), DISPLACEMENT_KEY_ID);
  store<u32>(at, (newTag & TD) != 0 ? 1 : 0, DISPLACEMENT_TD_BIT);
  store<u32>(at, writer, DISPLACEMENT_WRITER);
  store<u32>(at, instanceKeyId(oldTag & INSTANCE), DISPLACEMENT_OLD_KEY_ID);
  store<u32>(at, (oldTag & TD) != 0 ? 1 : 0, DISPLACEMENT_OLD_TD_BIT);
  store<u32>(at, oldWriter, DISPLACEMENT_OLD_WRITER);
}

function extendsNewest(): bool {
  const newest = ring + <usize>(next == 0 ? capacity - 1 : next - 1) * RECORD;
  const lines = load<u64>(newest, DISPLACEMENT_LINES);
  if (load<u64>(newest) + lines != load<u64>(scratch)) return false;
  const rest = RECORD - DISPLACEMENT_CAUSE;
  if (memory.compare(newest + DISPLACEMENT_CAUSE, scratch + DISPLACEMENT_CAUSE, rest) != 0) return false;
  store<u64>(newest, lines + load<u64>(scratch, DISPLACEMENT_LINES), DISPLACEMENT_LINES);
  return true;
}

/** Address of the next record about `line`, oldest first, from position `from` on; 0 at the end. */
export function findDisplacement(line: u64, from: u32): usize {
  for (let i = from; i < size; ++i) {
    const slot = size < capacity ? i : (next + i) % capacity;
    const at = ring + <usize>slot * RECORD;
    if (line - load<u64>(at) < load<u64>(at, DISPLACEMENT_LINES)) {
      found = i;
      return at;
    }
  }
  return 0;
}

/** Position of the record that {@link findDisplacement} returned. */
export let found: u32 = 0;

export function clearDisplacements(): void {
  size = 0;
  next = 0;
}
