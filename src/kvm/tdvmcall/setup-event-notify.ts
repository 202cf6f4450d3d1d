import { KVM_EXIT_TDX, kvm_run } from '../../spec/kvm-uapi.ts';
import { TDVMCALL, TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import { getRun, setExitReason, setRun } from '../run.ts';
import type { TdvmcallHandler } from './index.ts';
import { arg, finish, setStatus } from './registers.ts';

const FIRST_VECTOR = 32n;
const LAST_VECTOR = 255n;

export const setupEventNotify: TdvmcallHandler = function* (current, vcpu) {
  const { setup_event_notify } = kvm_run.tdx;
  const vector = arg(vcpu, 'r12');
  if (vector < FIRST_VECTOR || vector > LAST_VECTOR) return finish(vcpu, TDVMCALL_STATUS.INVALID_OPERAND);
  setExitReason(current, vcpu, KVM_EXIT_TDX);
  setRun(current, vcpu, kvm_run.tdx.flags, 0n);
  setRun(current, vcpu, kvm_run.tdx.nr, TDVMCALL.SETUP_EVENT_NOTIFY_INTERRUPT);
  setRun(current, vcpu, setup_event_notify.ret, TDVMCALL_STATUS.SUBFUNC_UNSUPPORTED);
  setRun(current, vcpu, setup_event_notify.vector, vector);
  vcpu.complete = function* (now) {
    setStatus(vcpu, getRun(now, vcpu, setup_event_notify.ret));
    return 1;
  };
  return 0;
};
