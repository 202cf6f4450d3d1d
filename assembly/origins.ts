/**
 * Where poison came from, and the record of the last fault. A poisoned DRAM line and a poisoned cached line each have an
 * origin, because the cached one may outlive the other.
 */

import { count } from './counters';
import { event } from './events';
import { instanceKeyId } from './keys';
import {
  CHECK_POISON,
  CHECK_UNPROGRAMMED_KEY,
  FAULT_CHECK,
  FAULT_KEY_ID,
  FAULT_LINE,
  FAULT_MAC_WOULD_FIRE,
  FAULT_POISONED_BY,
  FAULT_STORED_KEY_ID,
  FAULT_STORED_TD_BIT,
  FAULT_TD_BIT_WOULD_FIRE,
  FAULT_WRITER,
} from './layout';
import { initTable, lookUp, lookUpOrAdd, PAYLOAD, remove, TABLE_BYTES } from './line-table';
import { fault } from './memory-map';
import { lineTag, lineWriter } from './page';
import { originNodes } from './slabs';
import { COUNTER_POISON_CONSUMED } from './spec/counters';
import { FILLED, INSTANCE, TD } from './tags';
import { findDescriptor } from './tree';

/** Payload: event, writer, stored KeyID, {check, TD bit stored, MAC would fire, TD bit would fire} as four bytes. */
const EVENT = 16;
const WRITTEN_BY = 20;
const STORED_KEY_ID = 24;
const CHECK = 28;
const STORED_TD = 29;
const MAC_WOULD = 30;
const TD_WOULD = 31;

const table: usize = memory.data(TABLE_BYTES, 16);
/** A record that is in no table. */
const longFill: usize = memory.data(32, 16);
const IN_DRAM: u64 = 0xffff;

export function initOrigins(): void {
  initTable(table, originNodes, 64);
}

function dramKey(line: u64): u64 {
  return (line << 16) | IN_DRAM;
}

function cachedKey(line: u64, keyId: u32): u64 {
  return (line << 16) | <u64>keyId;
}

/** The line has just been poisoned; its state is still that of the moment. */
export function rememberPoison(line: u64, check: i32, tag: u32, writer: u32, macWould: u32, tdWould: bool): void {
  put(lookUpOrAdd(table, dramKey(line)), event, check, tag, writer, macWould, tdWould);
}

function put(node: usize, poisonedBy: u32, check: i32, tag: u32, writer: u32, macWould: u32, tdWould: bool): void {
  store<u32>(node, poisonedBy, EVENT);
  store<u32>(node, writer, WRITTEN_BY);
  store<u32>(node, instanceKeyId(tag & INSTANCE), STORED_KEY_ID);
  store<u8>(node, <u8>check, CHECK);
  store<u8>(node, (tag & TD) != 0 ? 1 : 0, STORED_TD);
  store<u8>(node, <u8>macWould, MAC_WOULD);
  store<u8>(node, tdWould ? 1 : 0, TD_WOULD);
}

export function forgetPoison(line: u64): void {
  remove(table, dramKey(line));
}

export function forgetCachedPoison(line: u64, keyId: u32): void {
  remove(table, cachedKey(line, keyId));
}

function copyOrigin(to: u64, source: usize): void {
  if (source == 0) {
    remove(table, to);
    return;
  }
  const target = lookUpOrAdd(table, to);
  store<u64>(target, load<u64>(source, PAYLOAD), PAYLOAD);
  store<u64>(target, load<u64>(source, PAYLOAD + 8), PAYLOAD + 8);
}

/** The origin of poison in DRAM, or 0: its record, or what is left of that of a long fill. */
function dramOrigin(line: u64): usize {
  const node = lookUp(table, dramKey(line));
  if (node != 0) return node;
  const desc = findDescriptor(line >> 6);
  const tag = lineTag(desc, <u32>line & 63);
  if ((tag & FILLED) == 0) return 0;
  const writer = lineWriter(desc, <u32>line & 63);
  put(longFill, writer, CHECK_UNPROGRAMMED_KEY, tag, writer, 2, false);
  return longFill;
}

export function cachePoison(line: u64, keyId: u32): void {
  copyOrigin(cachedKey(line, keyId), dramOrigin(line));
}

export function writeBackPoison(line: u64, keyId: u32): void {
  copyOrigin(dramKey(line), lookUp(table, cachedKey(line, keyId)));
}

/** Poison was consumed in a cached line. */
export function cachedFault(line: u64, keyId: u32): void {
  fillFault(line, keyId, lookUp(table, cachedKey(line, keyId)));
}

/** Poison was consumed straight from DRAM. */
export function dramFault(line: u64, keyId: u32): void {
  fillFault(line, keyId, dramOrigin(line));
}

function fillFault(line: u64, keyId: u32, origin: usize): void {
  count(COUNTER_POISON_CONSUMED);
  const desc = findDescriptor(line >> 6);
  const tag = lineTag(desc, <u32>line & 63);
  const writer = lineWriter(desc, <u32>line & 63);
  const key = tag & INSTANCE;
  store<u64>(fault, line, FAULT_LINE);
  store<u32>(fault, keyId, FAULT_KEY_ID);
  const known = origin != 0;
  store<u32>(fault, known ? load<u8>(origin, CHECK) : CHECK_POISON, FAULT_CHECK);
  store<u32>(fault, known ? load<u8>(origin, MAC_WOULD) : 2, FAULT_MAC_WOULD_FIRE);
  store<u32>(fault, known ? load<u8>(origin, TD_WOULD) : 0, FAULT_TD_BIT_WOULD_FIRE);
  store<u32>(fault, known ? load<u32>(origin, EVENT) : 0, FAULT_POISONED_BY);
  store<u32>(fault, known ? load<u32>(origin, STORED_KEY_ID) : instanceKeyId(key), FAULT_STORED_KEY_ID);
  store<u32>(fault, known ? load<u8>(origin, STORED_TD) : (tag & TD) != 0 ? 1 : 0, FAULT_STORED_TD_BIT);
  store<u32>(fault, known ? load<u32>(origin, WRITTEN_BY) : writer, FAULT_WRITER);
}
