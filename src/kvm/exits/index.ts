import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EXIT_REASON } from '../../spec/exits.ts';
import { KVM_EXIT_SHUTDOWN } from '../../spec/kvm-uapi.ts';
import {
  statusCode,
  TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE,
  TDX_NON_RECOVERABLE_VCPU,
  TDX_OPERAND_BUSY,
  TDX_SUCCESS,
} from '../../spec/status.ts';
import { setExitReason } from '../run.ts';
import { handleTdvmcall } from '../tdvmcall/index.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import { vmBugged } from '../vm/vm.ts';
import { handleEptViolation } from './ept-violation.ts';
import { exceptionExit, failedEntryExit, unexpectedExit } from './simple.ts';

/** Bit 63 and bits 47:40: reserved for software, the module never returns it. */
const SW_ERROR = 0x8000_ff00_0000_0000n;
/** Bits 63 and 62: error, non-recoverable. */
const ERROR_OR_FATAL = 0xc000_0000_0000_0000n;
const FAILED_VMENTRY = 1n << 31n;

/**
 * Statuses under which the low half is a VMX exit reason, by the constants of Linux's header. Two of them are not the module's
 * (linux-upstream.md §2): a TD that the module killed with 0x60000002 is an unexpected exit.
 */
const KERNEL_NON_RECOVERABLE_TD = 0x4000_0002_0000_0000n;
const KERNEL_NON_RECOVERABLE_TD_WRONG_APIC_MODE = 0x6000_0007_0000_0000n;
const WITH_EXIT_REASON: ReadonlySet<bigint> = new Set([
  TDX_SUCCESS,
  TDX_NON_RECOVERABLE_VCPU,
  KERNEL_NON_RECOVERABLE_TD,
  TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE,
  KERNEL_NON_RECOVERABLE_TD_WRONG_APIC_MODE,
]);

/** Interruption information: vector in bits 7:0, type in bits 10:8. */
const NMI_VECTOR = 2;
const MC_VECTOR = 18;

type ExitHandler = (current: Thread, vcpu: Vcpu) => Software<number>;

function* reenter(): Software<number> {
  return 1;
}

function* shutdown(current: Thread, vcpu: Vcpu): Software<number> {
  setExitReason(current, vcpu, KVM_EXIT_SHUTDOWN);
  return 0;
}

function* exception(current: Thread, vcpu: Vcpu): Software<number> {
  const vector = Number(vcpu.td!.args.r9 & 0xffn);
  return vector === NMI_VECTOR || vector === MC_VECTOR ? 1 : exceptionExit(current, vcpu, vector);
}

/** tdx_handle_exit's switch; a reason that is not here is unexpected. */
const HANDLERS: ReadonlyMap<number, ExitHandler> = new Map<number, ExitHandler>([
  [EXIT_REASON.TRIPLE_FAULT, shutdown],
  [EXIT_REASON.EXCEPTION_OR_NMI, exception],
  [EXIT_REASON.INTERRUPT, reenter],
  [EXIT_REASON.SMI_OTHER_EVENT, reenter],
  [EXIT_REASON.EPT_VIOLATION, handleEptViolation],
  [EXIT_REASON.TDCALL, handleTdvmcall],
]);

/** What TDH.VP.ENTER's status means. 1: back into the guest; else KVM_RUN's result. */
export function* handleExit(current: Thread, vcpu: Vcpu): Software<number> {
  const status = vcpu.td!.vpEnterStatus;
  if (statusCode(status) === TDX_OPERAND_BUSY) return 1;
  if (status === BigInt(EXIT_REASON.EPT_MISCONFIGURATION)) return vmBugged(current, vcpu.vm, 'EPT misconfiguration');
  if ((status & SW_ERROR) === SW_ERROR) {
    vmBugged(current, vcpu.vm, `TDH.VP.ENTER failed with 0x${status.toString(16)}`);
    return unexpectedExit(current, vcpu);
  }
  const known = WITH_EXIT_REASON.has(statusCode(status));
  if (known && (status & FAILED_VMENTRY) !== 0n) return failedEntryExit(current, vcpu, Number(status & 0xffff_ffffn));
  const reason = Number(status & 0xffffn);
  const isTripleFault = known && reason === EXIT_REASON.TRIPLE_FAULT;
  if (!known || ((status & ERROR_OR_FATAL) !== 0n && !isTripleFault)) return unexpectedExit(current, vcpu);
  const handler = HANDLERS.get(reason);
  return handler ? yield* handler(current, vcpu) : unexpectedExit(current, vcpu);
}
