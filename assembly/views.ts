/**
 * Cached pages. A view holds the lines of one (page frame, KeyID) that any package has cached: one copy of the data,
 * because copies of the same tag are equal in all packages, and who holds what:
 *   {key u64 = frame << 16 | KeyID, data, writers, writer, next, dirty u64, poison u64, pattern u64, stamp u64, valid u64 for each package}.
 * Data are a page, a sparse block (bit 0 set), or nothing: then every held line is `pattern`. Without writers every held line has
 * `writer`. A dirty line has one holder. The views of a page are a list in ascending KeyID. `stamp`: see pending.ts.
 * A direct-mapped table in front answers for (frame, KeyID), also that there is no view; it is invisible.
 */
import { give, take } from './arena';
import { packages, provenance } from './config';
import { copyLine, fillLine, fillPage } from './lines';
import { patternLine } from './memory-map';
import { isPending, resolveFrame, sequence, unmarkPending } from './pending';
import { dataPages, sparseViews, VIEW_HEADER, views, writerBlocks } from './slabs';
import { addSlot, clearSlots, isFull, NO_SLOT, slotCount, slotIndex, slotOf } from './sparse';
import { changeHeldBelow, firstView, moveHeldBelow, setFirstView } from './view-index';

export const DATA = 8;
export const WRITERS = 12;
export const VIEW_WRITER = 16;
export const NEXT = 20;
export const DIRTY = 24;
export const POISONED = 32;
export const PATTERN = 40;
export const STAMP = 48;
const VALID: usize = VIEW_HEADER;
export const SPARSE: u32 = 1;
const SLOT_LINES: usize = 16;

export const NO_VIEW: usize = 1;

const TABLE_ENTRIES: i32 = 16384;
const EPOCH_BITS: u64 = 8;
/** In the key of a page that S-EPT walkers trust: no other look-up finds it, so that whoever else comes to the page ends the trust. */
const TRUSTED: u64 = 1 << EPOCH_BITS;
const table: usize = memory.data(TABLE_ENTRIES * 16, 64);
let epoch: u64 = 1;
/** Changes whenever a line of a trusted page may have changed, or left a cache. */
export let trust: u64 = 1;
export let viewCount: u32 = 0;
/** Lines held by each package (u64). */
const held: usize = memory.data(64, 16);

function viewKey(frame: u64, keyId: u32): u64 {
  return (frame << 16) | <u64>keyId;
}

export function frameOf(view: usize): u64 {
  return load<u64>(view) >> 16;
}

export function keyIdOf(view: usize): u32 {
  return <u32>load<u64>(view) & 0xffff;
}

/** KeyIDs have 15 bits, frames 40. */
function tableKey(frame: u64, keyId: u32): u64 {
  return (frame << 24) | ((<u64>keyId) << (EPOCH_BITS + 1)) | epoch;
}

function tableEntry(frame: u64, keyId: u32): usize {
  return table + ((<usize>((<u32>frame + keyId * 0x517) & <u32>(TABLE_ENTRIES - 1))) << 4);
}

/** The view of a (frame, KeyID), or 0. What WBINVD has promised for the page is done first. */
export function findView(frame: u64, keyId: u32): usize {
  const entry = tableEntry(frame, keyId);
  if (load<u64>(entry) == tableKey(frame, keyId)) return <usize>load<u32>(entry, 8);
  return findSlowly(frame, keyId);
}

/** The view of a (frame, KeyID) when it was looked up lately, {@link NO_VIEW} when it is known that there is none, else 0. */
export function knownView(frame: u64, keyId: u32): usize {
  if (viewCount == 0) return NO_VIEW;
  const entry = tableEntry(frame, keyId);
  if (load<u64>(entry) != tableKey(frame, keyId)) return 0;
  const view = <usize>load<u32>(entry, 8);
  return view == 0 ? NO_VIEW : view;
}

/** The view of a (frame, KeyID) when it was looked up lately, or 0. */
export function recentView(frame: u64, keyId: u32): usize {
  const entry = tableEntry(frame, keyId);
  return load<u64>(entry) == tableKey(frame, keyId) ? <usize>load<u32>(entry, 8) : 0;
}

/** {@link recentView} without a branch. */
export function viewOrZero(frame: u64, keyId: u32): usize {
  const entry = tableEntry(frame, keyId);
  return select<usize>(load<u32>(entry, 8), 0, load<u64>(entry) == tableKey(frame, keyId));
}

function findSlowly(frame: u64, keyId: u32): usize {
  resolveFrame(frame);
  const key = viewKey(frame, keyId);
  let view = firstView(frame);
  while (view != 0 && load<u64>(view) < key) view = load<u32>(view, NEXT);
  if (view != 0 && load<u64>(view) != key) view = 0;
  remember(frame, keyId, view);
  return view;
}

/** The view of a trusted page, or 0. */
export function trustedView(frame: u64, keyId: u32): usize {
  const entry = tableEntry(frame, keyId);
  return load<u64>(entry) == (tableKey(frame, keyId) | TRUSTED) ? <usize>load<u32>(entry, 8) : 0;
}

/** From now on a page that was just looked up is trusted. */
export function trustPage(frame: u64, keyId: u32): void {
  const entry = tableEntry(frame, keyId);
  if (load<u64>(entry) == tableKey(frame, keyId)) store<u64>(entry, tableKey(frame, keyId) | TRUSTED);
}

function endTrust(entry: usize): void {
  if ((load<u64>(entry) & TRUSTED) != 0) trust += 1;
}

function remember(frame: u64, keyId: u32, view: usize): void {
  const entry = tableEntry(frame, keyId);
  endTrust(entry);
  store<u64>(entry, tableKey(frame, keyId));
  store<u32>(entry, <u32>view, 8);
}

/** Every page is looked up again, and so finds out about a WBINVD. */
export function dropLookups(): void {
  trust += 1;
  epoch += 1;
  if (epoch >> EPOCH_BITS == 0) return;
  epoch = 1;
  memory.fill(table, 0, (<usize>TABLE_ENTRIES) << 4);
}

export function createView(frame: u64, keyId: u32): usize {
  const view = take(views);
  const key = viewKey(frame, keyId);
  memory.fill(view, 0, VALID + ((<usize>packages) << 3));
  store<u64>(view, key);
  store<u64>(view, sequence, STAMP);
  link(view, frame, key);
  viewCount += 1;
  remember(frame, keyId, view);
  return view;
}

function link(view: usize, frame: u64, key: u64): void {
  const first = firstView(frame);
  if (first == 0 || load<u64>(first) > key) {
    store<u32>(view, <u32>first, NEXT);
    setFirstView(frame, view);
    return;
  }
  let before = first;
  while (load<u32>(before, NEXT) != 0 && load<u64>(load<u32>(before, NEXT)) < key) before = load<u32>(before, NEXT);
  store<u32>(view, load<u32>(before, NEXT), NEXT);
  store<u32>(before, <u32>view, NEXT);
}

/** Frees a view that nobody holds a line of; its data unless they were given away (DATA = 0). */
export function destroyView(view: usize): void {
  const frame = frameOf(view);
  const next = load<u32>(view, NEXT);
  let before = firstView(frame);
  if (before == view) {
    setFirstView(frame, next);
  } else {
    while (<usize>load<u32>(before, NEXT) != view) before = load<u32>(before, NEXT);
    store<u32>(before, next, NEXT);
  }
  if (isPending(view)) unmarkPending(view);
  const entry = tableEntry(frame, keyIdOf(view));
  if (load<u32>(entry, 8) == <u32>view) {
    endTrust(entry);
    store<u32>(entry, 0, 8);
  }
  freeData(view);
  if (load<u32>(view, WRITERS) != 0) give(writerBlocks, load<u32>(view, WRITERS));
  give(views, view);
  viewCount -= 1;
}

export function validIn(view: usize, pkg: u32): u64 {
  return load<u64>(view + VALID + ((<usize>pkg) << 3));
}

export function setValid(view: usize, pkg: u32, bits: u64): void {
  store<u64>(view + VALID + ((<usize>pkg) << 3), bits);
}

/** Lines that any package holds. */
export function validAnywhere(view: usize): u64 {
  let bits: u64 = 0;
  for (let p: u32 = 0; p < packages; ++p) bits |= validIn(view, p);
  return bits;
}

export function heldBy(pkg: u32): u64 {
  return load<u64>(held + ((<usize>pkg) << 3));
}

export function changeHeld(frame: u64, pkg: u32, by: i64): void {
  const at = held + ((<usize>pkg) << 3);
  store<i64>(at, load<i64>(at) + by);
  changeHeldBelow(frame, pkg, <i32>by);
}

/** One line of the page changes hands. */
export function moveHeld(frame: u64, from: u32, to: u32): void {
  const less = held + ((<usize>from) << 3);
  const more = held + ((<usize>to) << 3);
  store<u64>(less, load<u64>(less) - 1);
  store<u64>(more, load<u64>(more) + 1);
  moveHeldBelow(frame, from, to);
}

/** WBINVD: the package holds nothing; the numbers below follow page by page. */
export function clearHeld(pkg: u32): void {
  store<u64>(held + ((<usize>pkg) << 3), 0);
}

/** The view's page of data, or 0 when it has a sparse block or nothing. */
export function dataPage(view: usize): usize {
  const data = load<u32>(view, DATA);
  return (data & SPARSE) != 0 ? 0 : <usize>data;
}

export function freeData(view: usize): void {
  const data = load<u32>(view, DATA);
  if ((data & SPARSE) != 0) give(sparseViews, <usize>(data ^ SPARSE));
  else if (data != 0) give(dataPages, <usize>data);
  store<u32>(view, 0, DATA);
}

function slotLine(block: usize, slot: u32): usize {
  return block + SLOT_LINES + ((<usize>slot) << 6);
}

/** A page of data for the view, with what it held before. */
export function makeDataPage(view: usize): usize {
  const old = load<u32>(view, DATA);
  const page = take(dataPages);
  fillPage(page, load<u64>(view, PATTERN));
  if ((old & SPARSE) != 0) {
    const block = <usize>(old ^ SPARSE);
    for (let slot: u32 = 0, n = slotCount(block); slot < n; ++slot) {
      copyLine(page + ((<usize>slotIndex(block, slot)) << 6), slotLine(block, slot));
    }
    give(sparseViews, block);
  }
  store<u32>(view, <u32>page, DATA);
  return page;
}

/** A page of data whose contents do not matter. */
export function takeDataPage(view: usize): usize {
  const page = dataPage(view);
  if (page != 0) return page;
  freeData(view);
  const taken = take(dataPages);
  store<u32>(view, <u32>taken, DATA);
  return taken;
}

/** Address of a cached line's bytes for writing. */
export function lineData(view: usize, index: u32): usize {
  const data = load<u32>(view, DATA);
  if (data != 0 && (data & SPARSE) == 0) return <usize>data + ((<usize>index) << 6);
  return sparseLine(view, index);
}

function sparseLine(view: usize, index: u32): usize {
  if (load<u32>(view, DATA) == 0) {
    const made = take(sparseViews);
    clearSlots(made);
    store<u32>(view, <u32>made | SPARSE, DATA);
  }
  const block = <usize>(load<u32>(view, DATA) ^ SPARSE);
  let slot = slotOf(block, index);
  if (slot == NO_SLOT) {
    if (isFull(block)) return makeDataPage(view) + ((<usize>index) << 6);
    slot = addSlot(block, index);
    fillLine(slotLine(block, slot), load<u64>(view, PATTERN));
  }
  return slotLine(block, slot);
}

/** Where a cached line's bytes can be read; what is only a pattern comes in a scratch line. */
export function cachedBytes(view: usize, index: u32): usize {
  const data = load<u32>(view, DATA);
  if (data != 0 && (data & SPARSE) == 0) return <usize>data + ((<usize>index) << 6);
  if (data != 0) {
    const block = <usize>(data ^ SPARSE);
    const slot = slotOf(block, index);
    if (slot != NO_SLOT) return slotLine(block, slot);
  }
  fillLine(patternLine, load<u64>(view, PATTERN));
  return patternLine;
}

/** Does the line have no bytes of its own? */
export function isPattern(view: usize, index: u32): bool {
  const data = load<u32>(view, DATA);
  return data == 0 || ((data & SPARSE) != 0 && slotOf(<usize>(data ^ SPARSE), index) == NO_SLOT);
}

export function viewWriter(view: usize, index: u32): u32 {
  const writers = <usize>load<u32>(view, WRITERS);
  return writers == 0 ? load<u32>(view, VIEW_WRITER) : load<u32>(writers + ((<usize>index) << 2));
}

/** `heldLines`: the lines of the view that have a holder. */
export function setViewWriter(view: usize, index: u32, writer: u32, heldLines: u64): void {
  if (!provenance) return;
  let writers = <usize>load<u32>(view, WRITERS);
  if (writers == 0) {
    const one = load<u32>(view, VIEW_WRITER);
    if (one == writer) return;
    if ((heldLines & ~((<u64>1) << index)) == 0) {
      store<u32>(view, writer, VIEW_WRITER);
      return;
    }
    writers = take(writerBlocks);
    for (let at = writers; at < writers + 256; at += 4) store<u32>(at, one);
    store<u32>(view, <u32>writers, WRITERS);
  }
  store<u32>(writers + ((<usize>index) << 2), writer);
}
