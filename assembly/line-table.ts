/** Hash table from a u64 key to a slab block: {next u32, –, key u64, payload…}. Growing is optional, so inserting cannot fail. */
import { allocate, donate, give, take, tryAllocate } from './arena';
import { dataPages } from './slabs';

const HEADS = 0;
const MASK = 4;
const ENTRIES = 8;
const SLAB = 12;
export const TABLE_BYTES = 16;
const KEY = 8;
/** Where a block's payload starts. */
export const PAYLOAD = 16;

export function initTable(table: usize, slab: usize, buckets: u32): void {
  store<u32>(table, <u32>allocate((<usize>buckets) << 2), HEADS);
  store<u32>(table, buckets - 1, MASK);
  store<u32>(table, 0, ENTRIES);
  store<u32>(table, <u32>slab, SLAB);
}

function headOf(table: usize, key: u64): usize {
  const hash = <u32>((key * 0x9e3779b97f4a7c15) >> 32);
  return <usize>load<u32>(table, HEADS) + ((<usize>(hash & load<u32>(table, MASK))) << 2);
}

/** Block of the key, or 0. */
export function lookUp(table: usize, key: u64): usize {
  let node = <usize>load<u32>(headOf(table, key));
  while (node != 0 && load<u64>(node, KEY) != key) node = load<u32>(node);
  return node;
}

/** Block of the key; a new one has an undefined payload. */
export function lookUpOrAdd(table: usize, key: u64): usize {
  const found = lookUp(table, key);
  if (found != 0) return found;
  const entries = load<u32>(table, ENTRIES) + 1;
  if (entries > load<u32>(table, MASK)) grow(table);
  const head = headOf(table, key);
  const node = take(load<u32>(table, SLAB));
  store<u32>(node, load<u32>(head));
  store<u64>(node, key, KEY);
  store<u32>(head, <u32>node);
  store<u32>(table, entries, ENTRIES);
  return node;
}

export function remove(table: usize, key: u64): void {
  let link = headOf(table, key);
  let node = <usize>load<u32>(link);
  while (node != 0 && load<u64>(node, KEY) != key) {
    link = node;
    node = load<u32>(node);
  }
  if (node == 0) return;
  store<u32>(link, load<u32>(node));
  store<u32>(table, load<u32>(table, ENTRIES) - 1, ENTRIES);
  give(load<u32>(table, SLAB), node);
}

function grow(table: usize): void {
  const oldHeads = <usize>load<u32>(table, HEADS);
  const oldBytes = (<usize>(load<u32>(table, MASK) + 1)) << 2;
  const heads = tryAllocate(oldBytes << 1);
  if (heads == 0) return;
  store<u32>(table, <u32>heads, HEADS);
  store<u32>(table, (load<u32>(table, MASK) << 1) | 1, MASK);
  for (let at = oldHeads; at < oldHeads + oldBytes; at += 4) {
    let node = <usize>load<u32>(at);
    while (node != 0) {
      const next = load<u32>(node);
      const head = headOf(table, load<u64>(node, KEY));
      store<u32>(node, load<u32>(head));
      store<u32>(head, <u32>node);
      node = next;
    }
  }
  donate(dataPages, oldHeads, oldBytes);
}
