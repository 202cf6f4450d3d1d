/** The memory controller: DESIGN.md §3's tables of reads and writes, one line at a time. */
import { eager, erratum, hasIntegrity, isPrivate, macFirst, provenance, tdBitOn, unprogrammedFault } from './config';
import { count } from './counters';
import { changesOwner, logDisplacement } from './displacements';
import { homeOf } from './homes';
import { currentInstance, expectedTag, faultTag, isFault } from './keys';
import { CAUSE_DMA, CHECK_MAC, CHECK_PARTIAL_WRITE, CHECK_TD_BIT, CHECK_UNPROGRAMMED_KEY } from './layout';
import { clearLine, lineNumber } from './lines';
import { dropMac, storeMac } from './macs';
import { eagerLine, mergeLine, zeroLine } from './memory-map';
import { macFits, readAs, seal } from './observe';
import { forgetPoison, rememberPoison } from './origins';
import { lineTag, lineWriter, putLine, readStored, setTag } from './page';
import {
  COUNTER_CONTROLLER_READS,
  COUNTER_CONTROLLER_WRITES,
  COUNTER_MAC_CHECKS,
  COUNTER_MAC_MISMATCHES,
  COUNTER_PARTIAL_WRITES,
  COUNTER_POISON_CREATED,
  COUNTER_POISON_SILENT,
  COUNTER_TAGS_COMPARED,
  COUNTER_TD_BIT_CHECKS,
  COUNTER_TD_BIT_MISMATCHES,
} from './spec/counters';
import { INSTANCE, POISON, STORED, TD } from './tags';
import { findDescriptor, pageDescriptor } from './tree';

/** Reads a line through a KeyID. True: poison (and zeros), which a new failure has also left in DRAM. */
export function readLine(frame: u64, index: u32, keyId: u32, to: usize): bool {
  count(COUNTER_CONTROLLER_READS);
  count(COUNTER_TAGS_COMPARED);
  const home = homeOf(frame);
  const good = expectedTag(home, keyId);
  const desc = findDescriptor(frame);
  const tag = lineTag(desc, index);
  if (tag != good) return readChecked(frame, index, keyId, desc, tag, home, to);
  if (tdBitOn) count(COUNTER_TD_BIT_CHECKS);
  if (hasIntegrity(keyId)) count(COUNTER_MAC_CHECKS);
  readStored(desc, index, to);
  return false;
}

function readChecked(frame: u64, index: u32, keyId: u32, desc: usize, tag: u32, home: u32, to: usize): bool {
  if ((tag & POISON) != 0) {
    clearLine(to);
    return true;
  }
  const reader = currentInstance(home, keyId);
  let check = 0;
  if (isFault(reader)) check = CHECK_UNPROGRAMMED_KEY;
  else if (macFirst) check = checkMac(frame, index, keyId, desc, tag, reader) || checkTdBit(keyId, tag);
  else check = checkTdBit(keyId, tag) || checkMac(frame, index, keyId, desc, tag, reader);
  if (check != 0) {
    clearLine(to);
    poisonLine(frame, index, keyId, desc, tag, reader, check);
    return true;
  }
  // Shared without integrity over a TD's line: the fixed pattern, and no poison.
  if (tdBitOn && (tag & TD) != 0 && !isPrivate(keyId)) clearLine(to);
  else readAs(desc, index, lineNumber(frame, index), tag, reader, to);
  return false;
}

function tdBitFails(keyId: u32, tag: u32): bool {
  if (!tdBitOn) return false;
  return isPrivate(keyId) ? (tag & TD) == 0 : hasIntegrity(keyId) && (tag & TD) != 0;
}

function checkTdBit(keyId: u32, tag: u32): i32 {
  if (!tdBitOn) return 0;
  count(COUNTER_TD_BIT_CHECKS);
  if (isPrivate(keyId) != ((tag & TD) != 0)) count(COUNTER_TD_BIT_MISMATCHES);
  return tdBitFails(keyId, tag) ? CHECK_TD_BIT : 0;
}

function checkMac(frame: u64, index: u32, keyId: u32, desc: usize, tag: u32, reader: u32): i32 {
  if (!hasIntegrity(keyId)) return 0;
  count(COUNTER_MAC_CHECKS);
  if (macFits(desc, index, lineNumber(frame, index), tag, reader)) return 0;
  count(COUNTER_MAC_MISMATCHES);
  return CHECK_MAC;
}

/** A check failed: DRAM keeps the poison, and remembers what the other check would have said. */
function poisonLine(frame: u64, index: u32, keyId: u32, desc: usize, tag: u32, reader: u32, check: i32): void {
  count(COUNTER_POISON_CREATED);
  const line = lineNumber(frame, index);
  const writer = lineWriter(desc, index);
  let macWould: u32 = 2;
  if (check == CHECK_MAC) macWould = 1;
  else if (check == CHECK_TD_BIT && hasIntegrity(keyId)) macWould = macFits(desc, index, line, tag, reader) ? 0 : 1;
  setTag(pageDescriptor(frame), index, tag | POISON, writer);
  rememberPoison(line, check, tag, writer, macWould, tdBitFails(keyId, tag));
}

/** The tag that a full-line write through a KeyID leaves, poison not counted. */
export function writeTag(home: u32, keyId: u32): u32 {
  const tag = expectedTag(home, keyId);
  return tag != 0 ? tag : faultTag(home, keyId);
}

/** Drops what the tables hold about a line that is overwritten. */
export function forgetLine(line: u64, oldTag: u32): void {
  if ((oldTag & STORED) != 0) dropMac(line);
  if ((oldTag & POISON) != 0) forgetPoison(line);
}

/** Full-line write of a line with this tag (its poison is that of a cached line written back): nothing is checked. */
export function writeLine(frame: u64, index: u32, newTag: u32, from: usize, cause: i32, writer: u32): void {
  count(COUNTER_CONTROLLER_WRITES);
  const desc = pageDescriptor(frame);
  const line = lineNumber(frame, index);
  const oldTag = lineTag(desc, index);
  let tag = newTag;
  let bytes = from;
  if (provenance && changesOwner(oldTag, tag)) logDisplacement(line, 1, cause, tag, writer, oldTag, lineWriter(desc, index));
  // Poison that survives the write keeps its origin.
  if ((oldTag & (STORED | POISON)) != 0) forgetLine(line, (tag & POISON) != 0 ? oldTag & ~POISON : oldTag);
  if (unprogrammedFault && isFault(tag & INSTANCE)) {
    if ((tag & POISON) == 0) {
      count(COUNTER_POISON_CREATED);
      rememberPoison(line, CHECK_UNPROGRAMMED_KEY, oldTag, lineWriter(desc, index), 2, false);
    }
    tag |= POISON;
    bytes = zeroLine;
  }
  if (eager) {
    storeReal(line, tag, bytes);
    bytes = eagerLine;
    tag |= STORED;
  }
  putLine(desc, index, bytes, tag, writer);
}

/** `crypto: 'eager'`: ciphertext and MAC at every write. */
function storeReal(line: u64, tag: u32, from: usize): void {
  storeMac(line, seal(tag & INSTANCE, line, (tag & TD) != 0, from, eagerLine));
}

/** A write of 1 to 63 bytes past the caches (docs/memory-law.md, "Controller write"). */
export function writePartial(
  frame: u64,
  index: u32,
  keyId: u32,
  from: usize,
  offset: u32,
  length: u32,
  cause: i32,
  writer: u32,
): void {
  count(COUNTER_PARTIAL_WRITES);
  const desc = findDescriptor(frame);
  const tag = lineTag(desc, index);
  const foreign = tdBitOn && (tag & TD) != 0 && (cause == CAUSE_DMA || !isPrivate(keyId));
  if (foreign && erratum) {
    count(COUNTER_CONTROLLER_WRITES);
    poisonSilently(frame, index, tag);
    return;
  }
  let poisoned: bool = (tag & POISON) != 0;
  if (foreign) clearLine(mergeLine);
  else poisoned = readLine(frame, index, keyId, mergeLine);
  memory.copy(mergeLine + offset, from, length);
  let newTag = writeTag(homeOf(frame), keyId);
  if (foreign) newTag &= ~TD;
  writeLine(frame, index, poisoned ? newTag | POISON : newTag, mergeLine, cause, writer);
}

function poisonSilently(frame: u64, index: u32, tag: u32): void {
  if ((tag & POISON) != 0) return;
  count(COUNTER_POISON_SILENT);
  const desc = pageDescriptor(frame);
  const writer = lineWriter(desc, index);
  setTag(desc, index, tag | POISON, writer);
  rememberPoison(lineNumber(frame, index), CHECK_PARTIAL_WRITE, tag, writer, 2, false);
}
