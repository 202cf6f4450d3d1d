/** What lies in memory before the first operation: keys, regions under their KeyIDs, and an S-EPT. */
import { eager, packages } from '../config';
import { directLine, movdir64bFill } from '../direct';
import { setEvent } from '../events';
import { programKey } from '../keys';
import { KEY_MODE_RANDOM, STRESS_PREPARED } from '../layout';
import { mailbox } from '../memory-map';
import { setRoot } from '../sept-cache';
import { drawRegion, isHole } from './draw';
import { baseLine, guestPages, keyCount, lines, ownerOf, prepare, readProgram, regionShift, tablePage } from './program';
import { resetRecord, result } from './record';

const LEVELS: u32 = 4;
const SLOTS: u64 = 512;
const SLOTS_PER_LINE: u64 = 8;
/** Read, write, execute. */
const TABLE: u64 = 7;
/** The same, write-back. */
const LEAF: u64 = 0x37;

/** Is all in place, so that operations may begin? */
let ready: bool = false;

/** Takes the program in and programs the KeyIDs. */
export function setUp(): void {
  setEvent(0);
  readProgram();
  resetRecord();
  ready = false;
  for (let keyId: u32 = 1; keyId <= keyCount; ++keyId) {
    for (let pkg: u32 = 0; pkg < packages; ++pkg) programKey(pkg, keyId, KEY_MODE_RANDOM);
  }
}

/** Writes the next `most` lines of the footprint, and a region more at most; when all are written, the S-EPT. */
export function prepareNext(most: u64): bool {
  if (ready) return true;
  if (prepare && load<u64>(result, STRESS_PREPARED) < lines) {
    fillRegions(most);
    return false;
  }
  writeTables();
  for (let pkg: u32 = 0; pkg < packages; ++pkg) setRoot(pkg, 0, tablePage << 12, keyCount, LEVELS);
  ready = true;
  return true;
}

function fillRegions(most: u64): void {
  const start = load<u64>(result, STRESS_PREPARED);
  const end = min<u64>(lines, start + most);
  for (let at = start; at < end; ) {
    const part = partFrom(at);
    movdir64bFill(baseLine + at, part, ownerOf(at), drawRegion(at >> regionShift));
    at += part;
    store<u64>(result, at, STRESS_PREPARED);
  }
}

/** Lines filled at once: what is left of the region, and no more than a page when each line costs its encryption. */
function partFrom(at: u64): u64 {
  const part = min<u64>(((at >> regionShift) + 1) << regionShift, lines) - at;
  return eager ? min<u64>(part, 64 - ((baseLine + at) & 63)) : part;
}

/** Tables of a level that cover the guest's pages. */
function tablesOf(level: u32): u64 {
  return ((guestPages - 1) >> (9 * <u64>(level + 1))) + 1;
}

/** Level by level, the root first. */
function writeTables(): void {
  let table = tablePage;
  for (let level: i32 = LEVELS - 1; level >= 0; --level) {
    const tables = tablesOf(level);
    for (let i: u64 = 0; i < tables; ++i) writeTable(table + i, i * SLOTS, level, table + tables);
    table += tables;
  }
}

/** The table whose first entry is number `first` of its level; the tables below it begin at page `below`. */
function writeTable(page: u64, first: u64, level: u32, below: u64): void {
  for (let line: u64 = 0; line < 64; ++line) {
    for (let i: u64 = 0; i < SLOTS_PER_LINE; ++i) {
      store<u64>(mailbox + ((<usize>i) << 3), entryOf(first + line * SLOTS_PER_LINE + i, level, below));
    }
    directLine((page << 6) + line, keyCount, mailbox);
  }
}

function entryOf(number: u64, level: u32, below: u64): u64 {
  if (level != 0) return number < tablesOf(level - 1) ? ((below + number) << 12) | TABLE : 0;
  if (number >= guestPages || isHole(number)) return 0;
  const pages = max<u64>(1, lines >> 6);
  return (((baseLine >> 6) + (number % pages)) << 12) | LEAF;
}
