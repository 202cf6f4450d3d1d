import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import {
  KVM_EXIT_X86_RDMSR,
  KVM_EXIT_X86_WRMSR,
  KVM_MSR_EXIT_REASON_FILTER,
  KVM_MSR_EXIT_REASON_INVAL,
  kvm_run,
} from '../../spec/kvm-uapi.ts';
import { TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import { isEmulated, passesFilter, readMsr } from '../msr.ts';
import { getRun, setExitReason, setRun } from '../run.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import type { TdvmcallHandler } from './index.ts';
import { arg, finish, setResult, setStatus } from './registers.ts';

/** Why KVM will not do the access itself; 0 when it will. An MSR off the list is INVAL, not UNKNOWN, so ignore_msrs has no say. */
function refusal(vcpu: Vcpu, index: number, write: boolean): number {
  if (!passesFilter(vcpu.vm.msrFilter, index, write)) return KVM_MSR_EXIT_REASON_FILTER;
  return isEmulated(index, write) ? 0 : KVM_MSR_EXIT_REASON_INVAL;
}

function toUserspace(current: Thread, vcpu: Vcpu, reason: number, exit: number, index: number, data: bigint): number {
  if ((vcpu.vm.userSpaceMsr & reason) === 0) return finish(vcpu, TDVMCALL_STATUS.INVALID_OPERAND);
  const { msr } = kvm_run;
  setExitReason(current, vcpu, exit);
  setRun(current, vcpu, msr.error, 0);
  setRun(current, vcpu, msr.reason, reason);
  setRun(current, vcpu, msr.index, index);
  setRun(current, vcpu, msr.data, data);
  vcpu.complete = (now) => completeMsr(now, vcpu, exit === KVM_EXIT_X86_RDMSR);
  return 0;
}

function* completeMsr(current: Thread, vcpu: Vcpu, isRead: boolean): Software<number> {
  if (getRun(current, vcpu, kvm_run.msr.error) !== 0) return finish(vcpu, TDVMCALL_STATUS.INVALID_OPERAND);
  if (isRead) setResult(vcpu, 'r11', getRun(current, vcpu, kvm_run.msr.data));
  setStatus(vcpu, TDVMCALL_STATUS.SUCCESS);
  return 1;
}

export const rdmsr: TdvmcallHandler = function* (current, vcpu) {
  const index = Number(arg(vcpu, 'r12') & 0xffff_ffffn);
  const reason = refusal(vcpu, index, false);
  if (reason !== 0) return toUserspace(current, vcpu, reason, KVM_EXIT_X86_RDMSR, index, 0n);
  setResult(vcpu, 'r11', readMsr(vcpu, index));
  return finish(vcpu, TDVMCALL_STATUS.SUCCESS);
};

export const wrmsr: TdvmcallHandler = function* (current, vcpu) {
  const index = Number(arg(vcpu, 'r12') & 0xffff_ffffn);
  const value = arg(vcpu, 'r13');
  const reason = refusal(vcpu, index, true);
  if (reason !== 0) return toUserspace(current, vcpu, reason, KVM_EXIT_X86_WRMSR, index, value);
  vcpu.msrs.set(index, value);
  return finish(vcpu, TDVMCALL_STATUS.SUCCESS);
};
