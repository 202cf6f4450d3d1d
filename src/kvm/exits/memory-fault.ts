import type { Thread } from '../../linux/index.ts';
import { KVM_EXIT_MEMORY_FAULT, KVM_MEMORY_EXIT_FLAG_PRIVATE, kvm_run } from '../../spec/kvm-uapi.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { setExitReason, setRun } from '../run.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';

/** Tells userspace which page could not be had; KVM_RUN returns `errno` with it. */
export function memoryFaultExit(current: Thread, vcpu: Vcpu, gfn: number, isPrivate: boolean, errno: number): number {
  const { memory_fault } = kvm_run;
  setExitReason(current, vcpu, KVM_EXIT_MEMORY_FAULT);
  setRun(current, vcpu, memory_fault.flags, isPrivate ? BigInt(KVM_MEMORY_EXIT_FLAG_PRIVATE) : 0n);
  setRun(current, vcpu, memory_fault.gpa, BigInt(gfn * PAGE_SIZE));
  setRun(current, vcpu, memory_fault.size, BigInt(PAGE_SIZE));
  return errno;
}
