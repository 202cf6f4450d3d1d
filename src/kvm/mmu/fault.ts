import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EFAULT } from '../../spec/errno.ts';
import { memoryFaultExit } from '../exits/memory-fault.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import { leafEntry, mmioEntry, PAGE_SIZE } from './ept.ts';
import { gfnToMemslot } from './memslot.ts';
import { mapShared } from './shared.ts';

/** How a page fault ended: mapped, found mapped, to be tried again, MMIO; a negative number is KVM_RUN's errno. */
export type FaultResult = 'fixed' | 'spurious' | 'retry' | 'mmio' | number;

/** kvm_mmu_do_page_fault for a TD: `gfn` without the shared bit. */
export function* pageFault(current: Thread, vcpu: Vcpu, gfn: number, isPrivate: boolean): Software<FaultResult> {
  const { vm } = vcpu;
  if (vm.attributes.isPrivate(gfn) !== isPrivate) return memoryFaultExit(current, vcpu, gfn, isPrivate, -EFAULT);
  return isPrivate ? yield* privateFault(current, vcpu, gfn) : yield* sharedFault(current, vcpu, gfn);
}

function* privateFault(current: Thread, vcpu: Vcpu, gfn: number): Software<FaultResult> {
  const { vm } = vcpu;
  const sequence = vm.invalidateSeq;
  const slot = gfnToMemslot(vm, gfn);
  if (!slot?.gmem) return memoryFaultExit(current, vcpu, gfn, true, -EFAULT);
  const page = slot.gmem.file.pageOf(current, slot, gfn);
  if (page < 0) return memoryFaultExit(current, vcpu, gfn, true, page);
  yield* vm.mmuLock.read();
  const stale = vm.invalidating > 0 || vm.invalidateSeq !== sequence;
  const result = stale ? 'retry' : yield* vm.td!.mirror!.map(current, vm, gfn * PAGE_SIZE, page);
  vm.mmuLock.readUnlock();
  return result;
}

function* sharedFault(current: Thread, vcpu: Vcpu, gfn: number): Software<FaultResult> {
  const { vm } = vcpu;
  const td = vm.td!;
  const sequence = vm.invalidateSeq;
  const slot = gfnToMemslot(vm, gfn);
  const page = slot ? vm.process.mm.fault(current.cpu, slot.userspaceAddr + (gfn - slot.baseGfn) * PAGE_SIZE) : 0;
  if (page === null) return -EFAULT;
  yield* vm.mmuLock.read();
  const stale = vm.invalidating > 0 || vm.invalidateSeq !== sequence;
  const leaf = slot ? leafEntry(page) : mmioEntry(gfn);
  const error = stale ? 0 : mapShared(current, td.shared!, gfn * PAGE_SIZE + td.sharedBit, leaf);
  vm.mmuLock.readUnlock();
  if (stale) return 'retry';
  if (error < 0) return error;
  return slot ? 'fixed' : 'mmio';
}
