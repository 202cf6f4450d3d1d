/** MACs of lines whose ciphertext was made real: a table by line number. */
import { initTable, lookUp, lookUpOrAdd, PAYLOAD, remove, TABLE_BYTES } from './line-table';
import { macNodes } from './slabs';

const table: usize = memory.data(TABLE_BYTES, 16);

export function initMacs(): void {
  initTable(table, macNodes, 64);
}

export function storedMac(line: u64): u32 {
  const node = lookUp(table, line);
  return node == 0 ? 0 : load<u32>(node, PAYLOAD);
}

export function storeMac(line: u64, mac: u32): void {
  store<u32>(lookUpOrAdd(table, line), mac, PAYLOAD);
}

export function dropMac(line: u64): void {
  remove(table, line);
}
