import type { Vm } from '../vm/vm.ts';
import type { GuestMemfd } from './guest-memfd.ts';

/** struct kvm_memory_slot. GFNs and pages are plain numbers; the shared bit is never part of a GFN here. */
export interface Memslot {
  readonly id: number;
  readonly baseGfn: number;
  readonly npages: number;
  readonly userspaceAddr: number;
  readonly flags: number;
  /** Where its private memory comes from, and at which page of the file. */
  readonly gmem: { readonly file: GuestMemfd; readonly pgoff: number } | null;
}

export function gfnToMemslot(vm: Vm, gfn: number): Memslot | undefined {
  for (const slot of vm.slots.values()) if (gfn >= slot.baseGfn && gfn < slot.baseGfn + slot.npages) return slot;
  return undefined;
}
