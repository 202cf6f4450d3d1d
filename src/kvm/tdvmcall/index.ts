import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { TDVMCALL, TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import { cpuid } from './cpuid.ts';
import { getQuote } from './get-quote.ts';
import { getTdVmCallInfo } from './get-td-vm-call-info.ts';
import { hlt } from './hlt.ts';
import { hypercall } from './hypercall.ts';
import { io } from './io.ts';
import { mapGpa } from './map-gpa.ts';
import { mmio } from './mmio.ts';
import { rdmsr, wrmsr } from './msr.ts';
import { arg, finish } from './registers.ts';
import { reportFatalError } from './report-fatal-error.ts';
import { setupEventNotify } from './setup-event-notify.ts';

/** 1: answered, back into the guest; 0: kvm_run is filled and userspace has its turn. */
export type TdvmcallHandler = (current: Thread, vcpu: Vcpu) => Software<number>;

const HANDLERS: ReadonlyMap<bigint, TdvmcallHandler> = new Map([
  [TDVMCALL.GET_TD_VM_CALL_INFO, getTdVmCallInfo],
  [TDVMCALL.MAP_GPA, mapGpa],
  [TDVMCALL.GET_QUOTE, getQuote],
  [TDVMCALL.REPORT_FATAL_ERROR, reportFatalError],
  [TDVMCALL.SETUP_EVENT_NOTIFY_INTERRUPT, setupEventNotify],
  [TDVMCALL.CPUID, cpuid],
  [TDVMCALL.HLT, hlt],
  [TDVMCALL.IO, io],
  [TDVMCALL.RDMSR, rdmsr],
  [TDVMCALL.WRMSR, wrmsr],
  [TDVMCALL.MMIO, mmio],
]);

/** handle_tdvmcall: R10 = 0 and the sub-function in R11, or a KVM hypercall. */
export function* handleTdvmcall(current: Thread, vcpu: Vcpu): Software<number> {
  if (arg(vcpu, 'r10') !== 0n) return yield* hypercall(current, vcpu);
  const handler = HANDLERS.get(arg(vcpu, 'r11'));
  return handler ? yield* handler(current, vcpu) : finish(vcpu, TDVMCALL_STATUS.SUBFUNC_UNSUPPORTED);
}
