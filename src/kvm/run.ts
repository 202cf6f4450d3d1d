import type { Thread } from '../linux/index.ts';
import type { Field } from '../spec/field.ts';
import { kvm_run } from '../spec/kvm-uapi.ts';
import { PAGE_SIZE } from './mmu/ept.ts';
import type { Vcpu } from './vcpu/vcpu.ts';

/** Pages of a vCPU's mapping: kvm_run, port data, coalesced MMIO ring. */
export const RUN_PAGES = 3;
/** kvm_run.io.data_offset: the data of port I/O is at the start of the second page. */
export const PIO_OFFSET = PAGE_SIZE;

/** Writes one field of kvm_run into the page that userspace maps. */
export function setRun<T>(current: Thread, vcpu: Vcpu, field: Field<T>, value: T): void {
  const bytes = new Uint8Array(field.size);
  field.store(bytes, 0, value);
  current.cpu.lp.storeBytes(vcpu.runPages[0]! + field.offset, bytes);
}

export const getRun = <T>(current: Thread, vcpu: Vcpu, field: Field<T>): T =>
  field.load(current.cpu.lp.loadBytes(vcpu.runPages[0]! + field.offset, field.size), 0);

export const setExitReason = (current: Thread, vcpu: Vcpu, reason: number): void =>
  setRun(current, vcpu, kvm_run.exit_reason, reason);
