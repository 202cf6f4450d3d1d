import type { TdvmcallHandler } from './index.ts';
import { arg, finish } from './registers.ts';

/** KVM_HC_* numbers and -KVM_ENOSYS (include/uapi/linux/kvm_para.h). */
const KVM_HC_VAPIC_POLL_IRQ = 1n;
const KVM_ENOSYS = 1000n;

/** R10 ≠ 0: a KVM hypercall with its number in R10. */
export const hypercall: TdvmcallHandler = function* (_current, vcpu) {
  const number = arg(vcpu, 'r10');
  return finish(vcpu, number === KVM_HC_VAPIC_POLL_IRQ ? 0n : BigInt.asUintN(64, -KVM_ENOSYS));
};
