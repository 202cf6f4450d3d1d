import { smp_call_function_many, type Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import type { Vm } from '../vm/vm.ts';
import type { Vcpu } from './vcpu.ts';

function* nothing(): Software {}

/** kvm_vcpu_kick: an interrupt ends the guest's turn; nobody waits for it. */
export function kick(current: Thread, vcpu: Vcpu): void {
  if (vcpu.mode !== 'in-guest' || vcpu.cpu === current.cpu.id) return;
  const { platform } = current.cpu.lp;
  platform.interrupt(current.cpu.lp, platform.lps[vcpu.cpu]!, nothing);
}

/** KVM_REQ_OUTSIDE_GUEST_MODE: interrupts every vCPU that is in the guest, and waits until each has left. */
export function* kickAll(current: Thread, vm: Vm): Software {
  const cpus = vm.vcpus.filter((vcpu) => vcpu.mode === 'in-guest' && vcpu.cpu !== current.cpu.id).map((vcpu) => vcpu.cpu);
  if (cpus.length > 0) yield* smp_call_function_many(current.cpu, cpus, nothing);
}

/** Every vCPU executes INVEPT before it enters again; those inside leave now. */
export function* flushRemoteTlbs(current: Thread, vm: Vm): Software {
  for (const vcpu of vm.vcpus) vcpu.flushTlb = true;
  yield* kickAll(current, vm);
}
