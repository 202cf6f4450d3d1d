import { KVM_EXIT_SYSTEM_EVENT, KVM_SYSTEM_EVENT_TDX_FATAL, kvm_run } from '../../spec/kvm-uapi.ts';
import { setExitReason, setRun } from '../run.ts';
import type { TdvmcallHandler } from './index.ts';

/** In the order of register numbers; RAX's place has the status of TDH.VP.ENTER, RSP and RBP are never shown. */
const REGISTERS = ['rcx', 'rdx', 'rbx', null, null, 'rsi', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const;

/** A dump of all registers; there is no completion: who re-enters finds R10 as it was. */
export const reportFatalError: TdvmcallHandler = function* (current, vcpu) {
  const { system_event } = kvm_run;
  const { args, vpEnterStatus } = vcpu.td!;
  const dump = [vpEnterStatus, ...REGISTERS.map((register) => (register ? args[register] : 0n))];
  setExitReason(current, vcpu, KVM_EXIT_SYSTEM_EVENT);
  setRun(current, vcpu, system_event.type, KVM_SYSTEM_EVENT_TDX_FATAL);
  setRun(current, vcpu, system_event.ndata, dump.length);
  dump.forEach((value, i) => {
    setRun(current, vcpu, system_event.data.item(i), value);
  });
  return 0;
};
