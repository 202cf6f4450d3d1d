/**
 * Small blocks for a few lines of a page that is otherwise uniform: {count u32, indexes 4 × u8, …} and, from `LINES` on, the
 * lines' bytes. A slot is a position in the block; the caller keeps whatever else it knows of a line under the same number.
 */
import { SPARSE_LINES } from './slabs';

const INDEXES = 4;
export const NO_SLOT: u32 = 0xffffffff;

export function clearSlots(block: usize): void {
  store<u64>(block, 0);
}

export function slotCount(block: usize): u32 {
  return load<u32>(block);
}

export function slotIndex(block: usize, slot: u32): u32 {
  return load<u8>(block + <usize>slot, INDEXES);
}

/** Slot of a line of the page, or NO_SLOT. */
export function slotOf(block: usize, index: u32): u32 {
  for (let slot: u32 = 0, n = load<u32>(block); slot < n; ++slot) if (slotIndex(block, slot) == index) return slot;
  return NO_SLOT;
}

export function isFull(block: usize): bool {
  return load<u32>(block) == SPARSE_LINES;
}

/** A new slot for a line of the page; the block is not full. */
export function addSlot(block: usize, index: u32): u32 {
  const slot = load<u32>(block);
  store<u8>(block + <usize>slot, <u8>index, INDEXES);
  store<u32>(block, slot + 1);
  return slot;
}
