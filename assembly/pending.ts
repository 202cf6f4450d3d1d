/**
 * WBINVD in O(1): it only notes that a package's lines are to be written back and dropped. A page finds out when it is next looked
 * at, by a cache or at the memory controller, and then does what was noted, in the order of the notes, as of each note: with its
 * event id and with the keys of that moment. A view's stamp is the last note that it has heeded.
 */
import { outOfMemory, reserve, tryReserve } from './arena';
import { packages } from './config';
import { event, recallEvent, resumeEvent } from './events';
import { drainAsOf } from './flush';
import { firstView, NO_FRAME, nextFrame } from './view-index';
import { clearHeld, DIRTY, dropLookups, NEXT, STAMP, validIn, viewCount } from './views';

/** Notes of each package in ascending sequence: {sequence u64, event u32, –}. */
const CAPACITY: u32 = 256;
const NOTE_SHIFT: usize = 4;
const EVENT = 8;
const notes: usize = memory.data(32768, 16);
const counts: usize = memory.data(32, 16);

/** Number of the newest note. */
export let sequence: u64 = 0;
/** Views that have not heeded it. */
export let pending: u32 = 0;

export function isPending(view: usize): bool {
  return load<u64>(view, STAMP) != sequence;
}

export function unmarkPending(view: usize): void {
  pending -= 1;
  store<u64>(view, sequence, STAMP);
}

function countOf(pkg: u32): usize {
  return counts + ((<usize>pkg) << 2);
}

function noteAt(pkg: u32, i: u32): usize {
  return notes + ((<usize>(pkg * CAPACITY + i)) << NOTE_SHIFT);
}

/** WBINVD on a package that holds something. */
export function noteWbinvd(pkg: u32): void {
  if (load<u32>(countOf(pkg)) == CAPACITY) resolveAll();
  const i = load<u32>(countOf(pkg));
  sequence += 1;
  store<u64>(noteAt(pkg, i), sequence);
  store<u32>(noteAt(pkg, i), event, EVENT);
  store<u32>(countOf(pkg), i + 1);
  pending = viewCount;
  clearHeld(pkg);
  dropLookups();
}

/** The first note of a package after `stamp`, or 0. */
function firstAfter(pkg: u32, stamp: u64): usize {
  let low: u32 = 0;
  let high = load<u32>(countOf(pkg));
  const end = high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u64>(noteAt(pkg, middle)) <= stamp) low = middle + 1;
    else high = middle;
  }
  return low == end ? 0 : noteAt(pkg, low);
}

/** Package of the note that {@link oldestNote} found. */
let notedPackage: u32 = 0;

/** The oldest note that a view of the page still has to heed, or 0. */
function oldestNote(frame: u64): usize {
  let oldest: usize = 0;
  for (let view = firstView(frame); view != 0; view = load<u32>(view, NEXT)) {
    if (!isPending(view)) continue;
    for (let p: u32 = 0; p < packages; ++p) {
      if (validIn(view, p) == 0) continue;
      const note = firstAfter(p, load<u64>(view, STAMP));
      if (note == 0 || (oldest != 0 && load<u64>(note) >= load<u64>(oldest))) continue;
      oldest = note;
      notedPackage = p;
    }
  }
  return oldest;
}

/** Writes back and drops a package's lines of the page, the aliases of a line in ascending KeyID. False: no room for the next one. */
function heed(frame: u64, note: usize): bool {
  const pkg = notedPackage;
  let room: bool = true;
  recallEvent(load<u32>(note, EVENT));
  let view = firstView(frame);
  while (view != 0 && room) {
    const next = <usize>load<u32>(view, NEXT);
    const held = load<u64>(view, STAMP) < load<u64>(note) ? validIn(view, pkg) : 0;
    room = (held & load<u64>(view, DIRTY)) == 0 || tryReserve();
    if (room && held != 0) drainAsOf(view, pkg, load<u64>(note));
    view = next;
  }
  resumeEvent();
  return room;
}

/** Does what was noted for a page. False: memory has run out, and the rest stays noted. */
export function tryResolveFrame(frame: u64): bool {
  return pending == 0 || resolveNow(frame);
}

function resolveNow(frame: u64): bool {
  for (let note = oldestNote(frame); note != 0; note = oldestNote(frame)) if (!heed(frame, note)) return false;
  for (let view = firstView(frame); view != 0; view = load<u32>(view, NEXT)) if (isPending(view)) unmarkPending(view);
  return true;
}

/** As {@link tryResolveFrame}, but aborts when memory has run out. */
export function resolveFrame(frame: u64): void {
  if (!tryResolveFrame(frame)) outOfMemory();
}

/** Before a step that changes a page: what was noted for it is done, and there is room. Aborts with nothing changed. */
export function prepareFrame(frame: u64): void {
  resolveFrame(frame);
  reserve();
}

/** Does what was noted for all pages of [first, last), as far as memory goes. */
function tryResolveRange(first: u64, last: u64): bool {
  if (pending == 0) return true;
  for (let frame = nextFrame(first); frame < last; frame = nextFrame(frame + 1)) if (!resolveNow(frame)) return false;
  return true;
}

/** Does what was noted for all pages of [first, last). */
export function resolveRange(first: u64, last: u64): void {
  if (!tryResolveRange(first, last)) outOfMemory();
}

/** Does all that was noted, so that every counter and every list is what it would have been at once; false when memory has run out. */
export function tryResolveAll(): bool {
  if (!tryResolveRange(0, NO_FRAME)) return false;
  memory.fill(counts, 0, 32);
  return true;
}

/** As {@link tryResolveAll}, but aborts when memory has run out. */
export function resolveAll(): void {
  if (!tryResolveAll()) outOfMemory();
}
