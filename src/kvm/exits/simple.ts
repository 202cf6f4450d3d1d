import type { Thread } from '../../linux/index.ts';
import {
  KVM_EXIT_EXCEPTION,
  KVM_EXIT_FAIL_ENTRY,
  KVM_EXIT_INTERNAL_ERROR,
  KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON,
  kvm_run,
} from '../../spec/kvm-uapi.ts';
import { setExitReason, setRun } from '../run.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';

/** KVM_EXIT_INTERNAL_ERROR with the status of TDH.VP.ENTER and the CPU it ran on. */
export function unexpectedExit(current: Thread, vcpu: Vcpu): number {
  const { internal } = kvm_run;
  setExitReason(current, vcpu, KVM_EXIT_INTERNAL_ERROR);
  setRun(current, vcpu, internal.suberror, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
  setRun(current, vcpu, internal.ndata, 2);
  setRun(current, vcpu, internal.data.item(0), vcpu.td!.vpEnterStatus);
  setRun(current, vcpu, internal.data.item(1), BigInt(vcpu.cpu));
  return 0;
}

export function failedEntryExit(current: Thread, vcpu: Vcpu, reason: number): number {
  setExitReason(current, vcpu, KVM_EXIT_FAIL_ENTRY);
  setRun(current, vcpu, kvm_run.fail_entry.hardware_entry_failure_reason, BigInt(reason));
  setRun(current, vcpu, kvm_run.fail_entry.cpu, vcpu.cpu);
  return 0;
}

export function exceptionExit(current: Thread, vcpu: Vcpu, vector: number): number {
  setExitReason(current, vcpu, KVM_EXIT_EXCEPTION);
  setRun(current, vcpu, kvm_run.ex.exception, vector);
  setRun(current, vcpu, kvm_run.ex.error_code, 0);
  return 0;
}
