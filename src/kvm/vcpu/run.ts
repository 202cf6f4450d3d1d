import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EAGAIN, EINTR, EINVAL, EIO } from '../../spec/errno.ts';
import {
  KVM_EXIT_INTR,
  KVM_EXIT_UNKNOWN,
  KVM_MP_STATE_RUNNABLE,
  KVM_MP_STATE_UNINITIALIZED,
  kvm_run,
} from '../../spec/kvm-uapi.ts';
import { getRun, setExitReason } from '../run.ts';
import { enterGuest } from './enter.ts';
import type { VcpuIoctl } from './ioctls.ts';
import type { Vcpu } from './vcpu.ts';

/** KVM_RUN: returns 0 with kvm_run filled, or -errno. */
export const run: VcpuIoctl = function* (current, vcpu) {
  const { vm } = vcpu;
  const immediate = getRun(current, vcpu, kvm_run.immediate_exit) !== 0;
  if (vcpu.mpState === KVM_MP_STATE_UNINITIALIZED) return immediate ? -EINTR : yield* waitForInit(current, vcpu);
  if (vcpu.complete) {
    const complete = vcpu.complete;
    vcpu.complete = null;
    const result = yield* complete(current);
    if (result <= 0) return result;
  }
  if (immediate) return -EINTR;
  if (vcpu.td?.state !== 'initialized' || vm.td!.state !== 'runnable') return -EINVAL;
  setExitReason(current, vcpu, KVM_EXIT_UNKNOWN);
  for (;;) {
    const result = vcpu.mpState === KVM_MP_STATE_RUNNABLE ? yield* enterGuest(current, vcpu) : yield* halted(current, vcpu);
    if (result <= 0) return result;
    if (current.signal_pending) return interrupted(current, vcpu);
  }
};

function interrupted(current: Thread, vcpu: Vcpu): number {
  setExitReason(current, vcpu, KVM_EXIT_INTR);
  return -EINTR;
}

/** An application processor before INIT_VCPU: blocks until a signal, or until somebody makes it runnable. */
function* waitForInit(current: Thread, vcpu: Vcpu): Software<number> {
  const woken = (): boolean => vcpu.mpState !== KVM_MP_STATE_UNINITIALIZED;
  yield* block(current, vcpu, woken);
  return woken() ? -EAGAIN : interrupted(current, vcpu);
}

/** HLT: blocks until an event; then the vCPU goes on. */
function* halted(current: Thread, vcpu: Vcpu): Software<number> {
  yield* block(current, vcpu, () => vcpu.mpState === KVM_MP_STATE_RUNNABLE);
  return vcpu.vm.dead ? -EIO : 1;
}

function* block(current: Thread, vcpu: Vcpu, woken: () => boolean): Software {
  yield { what: `vcpu${vcpu.id} blocked`, ready: () => woken() || current.signal_pending || vcpu.vm.dead };
}
