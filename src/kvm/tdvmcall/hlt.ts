import { KVM_MP_STATE_HALTED } from '../../spec/kvm-uapi.ts';
import { TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import type { TdvmcallHandler } from './index.ts';
import { finish } from './registers.ts';

/** The vCPU sleeps in the kernel until an event for it comes. */
export const hlt: TdvmcallHandler = function* (_current, vcpu) {
  vcpu.mpState = KVM_MP_STATE_HALTED;
  return finish(vcpu, TDVMCALL_STATUS.SUCCESS);
};
