import { KVM_EXIT_TDX, kvm_run } from '../../spec/kvm-uapi.ts';
import { TDVMCALL, TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import { getRun, setExitReason, setRun } from '../run.ts';
import type { TdvmcallHandler } from './index.ts';
import { arg, finish, setResult, setStatus } from './registers.ts';

const RESULTS = [
  ['r11', 'r11'],
  ['r12', 'r12'],
  ['r13', 'r13'],
  ['r14', 'r14'],
] as const;

/** Leaf 0 is KVM's, leaf 1 userspace's. */
export const getTdVmCallInfo: TdvmcallHandler = function* (current, vcpu) {
  const info = kvm_run.tdx.get_tdvmcall_info;
  const leaf = arg(vcpu, 'r12');
  if (leaf > 1n) return finish(vcpu, TDVMCALL_STATUS.INVALID_OPERAND);
  if (leaf === 0n) {
    for (const [register] of RESULTS) setResult(vcpu, register, 0n);
    return finish(vcpu, TDVMCALL_STATUS.SUCCESS);
  }
  setExitReason(current, vcpu, KVM_EXIT_TDX);
  setRun(current, vcpu, kvm_run.tdx.flags, 0n);
  setRun(current, vcpu, kvm_run.tdx.nr, TDVMCALL.GET_TD_VM_CALL_INFO);
  setRun(current, vcpu, info.ret, TDVMCALL_STATUS.SUCCESS);
  setRun(current, vcpu, info.leaf, leaf);
  for (const [, field] of RESULTS) setRun(current, vcpu, info[field], 0n);
  vcpu.complete = function* (now) {
    setStatus(vcpu, getRun(now, vcpu, info.ret));
    for (const [register, field] of RESULTS) setResult(vcpu, register, getRun(now, vcpu, info[field]));
    return 1;
  };
  return 0;
};
