import { KVM_EXIT_TDX, kvm_run } from '../../spec/kvm-uapi.ts';
import { TDVMCALL, TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import { getRun, setExitReason, setRun } from '../run.ts';
import { gpaIsPrivate } from '../tdx/td.ts';
import type { TdvmcallHandler } from './index.ts';
import { arg, finish, setStatus } from './registers.ts';

/** Userspace makes the quote; KVM checks only that the buffer is shared. */
export const getQuote: TdvmcallHandler = function* (current, vcpu) {
  const { get_quote } = kvm_run.tdx;
  const td = vcpu.vm.td!;
  const gpa = arg(vcpu, 'r12');
  if (gpaIsPrivate(td, Number(gpa))) return finish(vcpu, TDVMCALL_STATUS.INVALID_OPERAND);
  setExitReason(current, vcpu, KVM_EXIT_TDX);
  setRun(current, vcpu, kvm_run.tdx.flags, 0n);
  setRun(current, vcpu, kvm_run.tdx.nr, TDVMCALL.GET_QUOTE);
  setRun(current, vcpu, get_quote.ret, TDVMCALL_STATUS.SUBFUNC_UNSUPPORTED);
  setRun(current, vcpu, get_quote.gpa, gpa & ~BigInt(td.sharedBit));
  setRun(current, vcpu, get_quote.size, arg(vcpu, 'r13'));
  vcpu.complete = function* (now) {
    setStatus(vcpu, getRun(now, vcpu, get_quote.ret));
    return 1;
  };
  return 0;
};
