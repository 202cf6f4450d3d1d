/** The packages' caches, line by line: fill, ownership, write-back, drop (docs/memory-law.md, "Caches"). */
import { reserve } from './arena';
import { cacheSets, packages } from './config';
import { readLine, writeLine, writeTag } from './controller';
import { count } from './counters';
import { chooseSlot, isOccupied, occupy, slotKeyId, slotLine, vacate } from './directory';
import { homeOf } from './homes';
import { expectedTag } from './keys';
import { CAUSE_EVICTION, CAUSE_SNOOP } from './layout';
import { copyLine, lineNumber } from './lines';
import { patternLine } from './memory-map';
import { cachePoison, forgetCachedPoison, writeBackPoison } from './origins';
import { lineWriter } from './page';
import { resolveAll } from './pending';
import { COUNTER_EVICTIONS, COUNTER_SNOOPS, COUNTER_WRITE_BACKS } from './spec/counters';
import { FILL, POISON } from './tags';
import { findDescriptor, kindOf, LOW } from './tree';
import {
  cachedBytes,
  changeHeld,
  createView,
  DIRTY,
  destroyView,
  findView,
  frameOf,
  isPattern,
  keyIdOf,
  lineData,
  moveHeld,
  PATTERN,
  POISONED,
  setValid,
  setViewWriter,
  validAnywhere,
  validIn,
  viewWriter,
} from './views';

export function isDirty(view: usize, bit: u64): bool {
  return (load<u64>(view, DIRTY) & bit) != 0;
}

export function isPoisoned(view: usize, bit: u64): bool {
  return (load<u64>(view, POISONED) & bit) != 0;
}

export function readCached(view: usize, index: u32, to: usize): void {
  copyLine(to, cachedBytes(view, index));
}

/** Writes one dirty line back; it stays, clean. */
export function writeBack(view: usize, index: u32, cause: i32): void {
  writeBackAs(view, index, writeTag(homeOf(frameOf(view)), keyIdOf(view)), cause);
}

/** The same under a given tag. Part of a step: the caller has made sure of memory. */
export function writeBackAs(view: usize, index: u32, tag: u32, cause: i32): void {
  const frame = frameOf(view);
  const bit = (<u64>1) << index;
  const poisoned = isPoisoned(view, bit);
  count(COUNTER_WRITE_BACKS);
  writeLine(frame, index, poisoned ? tag | POISON : tag, cachedBytes(view, index), cause, viewWriter(view, index));
  if (poisoned) writeBackPoison(lineNumber(frame, index), keyIdOf(view));
  store<u64>(view, load<u64>(view, DIRTY) & ~bit, DIRTY);
}

/** Takes lines away from one package. The caller has settled what is dirty, and calls `settle` in the end. */
export function dropFrom(view: usize, pkg: u32, lines: u64): void {
  const had = validIn(view, pkg) & lines;
  if (had == 0) return;
  setValid(view, pkg, validIn(view, pkg) & ~had);
  changeHeld(frameOf(view), pkg, -popcnt<i64>(<i64>had));
  if (cacheSets == 0) return;
  for (let bits = had; bits != 0; bits &= bits - 1) vacate(pkg, lineNumber(frameOf(view), <u32>ctz(bits)), keyIdOf(view));
}

export function dropFromOthers(view: usize, pkg: u32, lines: u64): void {
  for (let p: u32 = 0; p < packages; ++p) if (p != pkg) dropFrom(view, p, lines);
}

/** Forgets what nobody holds any more; frees an empty view. */
export function settle(view: usize): void {
  const kept = validAnywhere(view);
  const poisoned = load<u64>(view, POISONED);
  for (let gone = poisoned & ~kept; gone != 0; gone &= gone - 1) {
    forgetCachedPoison(lineNumber(frameOf(view), <u32>ctz(gone)), keyIdOf(view));
  }
  if (kept == 0) {
    destroyView(view);
    return;
  }
  store<u64>(view, poisoned & kept, POISONED);
  store<u64>(view, load<u64>(view, DIRTY) & kept, DIRTY);
}

/** One line leaves one package, written back if it is dirty. Part of a step. */
export function evictLine(view: usize, pkg: u32, index: u32): void {
  const bit = (<u64>1) << index;
  if (isDirty(view, bit)) writeBack(view, index, CAUSE_EVICTION);
  count(COUNTER_EVICTIONS);
  dropFrom(view, pkg, bit);
  settle(view);
}

/** A slot of the directory for a new line; the victim has left. */
function makeRoom(pkg: u32, line: u64): usize {
  const slot = chooseSlot(pkg, line);
  if (isOccupied(slot)) {
    const victim = slotLine(slot);
    evictLine(findView(victim >> 6, slotKeyId(slot)), pkg, <u32>victim & 63);
  }
  return slot;
}

/** Reads a line that nobody holds from the controller into the view. */
function fetch(view: usize, frame: u64, index: u32, keyId: u32): void {
  const held = validAnywhere(view);
  const desc = findDescriptor(frame);
  if (isPattern(view, index) && load<u32>(desc) == expectedTag(homeOf(frame), keyId) && kindOf(desc) == FILL) {
    if (held == 0) store<u64>(view, load<u64>(desc, LOW), PATTERN);
    if (load<u64>(view, PATTERN) == load<u64>(desc, LOW)) {
      readLine(frame, index, keyId, patternLine);
      setViewWriter(view, index, lineWriter(desc, index), held);
      return;
    }
  }
  if (readLine(frame, index, keyId, lineData(view, index))) {
    store<u64>(view, load<u64>(view, POISONED) | ((<u64>1) << index), POISONED);
    cachePoison(lineNumber(frame, index), keyId);
  }
  setViewWriter(view, index, lineWriter(findDescriptor(frame), index), held);
}

/** Unbounded caches: the line comes from the packages that hold it, and leaves them. */
export function takeOver(view: usize, pkg: u32, bit: u64): void {
  const frame = frameOf(view);
  let came = false;
  count(COUNTER_SNOOPS);
  for (let p: u32 = 0; p < packages; ++p) {
    const lines = validIn(view, p);
    if ((lines & bit) == 0) continue;
    setValid(view, p, lines & ~bit);
    if (came) changeHeld(frame, p, -1);
    else moveHeld(frame, p, pkg);
    came = true;
  }
  setValid(view, pkg, validIn(view, pkg) | bit);
}

/** Unbounded caches: the line comes from the packages that hold it, and stays there; a dirty one is written back. */
export function share(view: usize, pkg: u32, index: u32): void {
  const bit = (<u64>1) << index;
  reserve();
  count(COUNTER_SNOOPS);
  if (isDirty(view, bit)) writeBack(view, index, CAUSE_SNOOP);
  setValid(view, pkg, validIn(view, pkg) | bit);
  changeHeld(frameOf(view), pkg, 1);
}

/** A miss: the victim leaves, then the line comes from the lowest holder or from the controller. `own`: read for ownership. */
export function fillMiss(pkg: u32, frame: u64, index: u32, keyId: u32, own: bool): usize {
  // The victim may lie anywhere.
  if (cacheSets != 0) resolveAll();
  reserve();
  const line = lineNumber(frame, index);
  const bit = (<u64>1) << index;
  const slot = cacheSets != 0 ? makeRoom(pkg, line) : 0;
  let view = findView(frame, keyId);
  if (view != 0 && (validAnywhere(view) & bit) != 0) {
    count(COUNTER_SNOOPS);
    if (own) dropFromOthers(view, pkg, bit);
    else if (isDirty(view, bit)) writeBack(view, index, CAUSE_SNOOP);
  } else {
    if (view == 0) view = createView(frame, keyId);
    fetch(view, frame, index, keyId);
  }
  setValid(view, pkg, validIn(view, pkg) | bit);
  changeHeld(frame, pkg, 1);
  if (slot != 0) occupy(slot, line, keyId);
  return view;
}
