import { copy_from_user, copy_to_user } from '../../linux/index.ts';
import { EFAULT, EINVAL } from '../../spec/errno.ts';
import { KVM_MP_STATE_HALTED, KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_UNINITIALIZED, kvm_mp_state } from '../../spec/kvm-uapi.ts';
import type { VcpuIoctl } from './ioctls.ts';

const STATES: ReadonlySet<number> = new Set([KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_HALTED]);

export const getMpState: VcpuIoctl = function* (current, vcpu, arg) {
  const bytes = new Uint8Array(kvm_mp_state.SIZE);
  kvm_mp_state.mp_state.set(bytes, vcpu.mpState);
  return copy_to_user(current, arg, bytes);
};

export const setMpState: VcpuIoctl = function* (current, vcpu, arg) {
  const bytes = copy_from_user(current, arg, kvm_mp_state.SIZE);
  if (!bytes) return -EFAULT;
  const state = kvm_mp_state.mp_state.get(bytes);
  if (!STATES.has(state)) return -EINVAL;
  vcpu.mpState = state;
  return 0;
};
