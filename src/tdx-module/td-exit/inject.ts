import { VECTOR_NUMBER, type VmExit } from '../../platform/index.ts';
import { EXIT_REASON } from '../../spec/exits.ts';
import { TD_VMCS, TDVPS, VE_INFO } from '../../spec/layouts.ts';
import type { TdRun } from './run.ts';

const VALID = 1 << 31;
const HARDWARE_EXCEPTION = 3 << 8;
const DELIVERS_ERROR_CODE = 1 << 11;
const RFLAGS_RF = 1n << 16n;
export const VE_INFO_VALID = 0xffff_ffff;

type Injected = keyof typeof VECTOR_NUMBER;

/** At the next entry the CPU delivers this exception; RIP still points at the instruction, and RF keeps debug traps away from it. */
function inject(run: TdRun, vector: Injected, errorCode: number | null): void {
  const { tdvps } = run;
  const withCode = errorCode === null ? 0 : DELIVERS_ERROR_CODE;
  tdvps.set(TD_VMCS.VM_ENTRY_INTR_INFO, (VALID | HARDWARE_EXCEPTION | withCode | VECTOR_NUMBER[vector]) >>> 0);
  tdvps.set(TD_VMCS.VM_ENTRY_EXCEPTION_ERROR_CODE, errorCode ?? 0);
  tdvps.set(TD_VMCS.GUEST_RFLAGS, tdvps.get(TD_VMCS.GUEST_RFLAGS) | RFLAGS_RF);
}

export const injectUd = (run: TdRun): void => inject(run, '#UD', null);
export const injectGp = (run: TdRun): void => inject(run, '#GP', 0);

/** #PF at a linear address, with CR2. */
export const injectPf = (run: TdRun, errorCode: number, address: bigint): void => {
  run.tdvps.set(TDVPS.CR2, address);
  inject(run, '#PF', errorCode);
};

/** What TDG.VP.VEINFO.GET will tell, beside the exit's instruction length and information. */
export interface VeRecord {
  readonly reason: number;
  readonly qualification: bigint;
  readonly gla: bigint;
  readonly gpa: bigint;
}

/** #VE with its record; while an earlier record waits to be fetched it stays as it is and the guest gets #DF (td-exits.md §6). */
export function injectVe(run: TdRun, exit: VmExit, record: VeRecord): void {
  const { tdvps } = run;
  if (tdvps.get(VE_INFO.VALID) !== 0) {
    inject(run, '#DF', 0);
    return;
  }
  tdvps.set(VE_INFO.EXIT_REASON, record.reason);
  tdvps.set(VE_INFO.EXIT_QUALIFICATION, record.qualification);
  tdvps.set(VE_INFO.GLA, record.gla);
  tdvps.set(VE_INFO.GPA, record.gpa);
  tdvps.set(VE_INFO.EPTP_INDEX, 0);
  tdvps.set(VE_INFO.INSTRUCTION_LENGTH, exit.instructionLength);
  tdvps.set(VE_INFO.INSTRUCTION_INFORMATION, exit.instructionInfo);
  tdvps.set(VE_INFO.VALID, VE_INFO_VALID);
  inject(run, '#VE', null);
}

/** #VE for an instruction that the guest has to ask the host about. */
export const injectInstructionVe = (run: TdRun, exit: VmExit, qualification = exit.qualification): void =>
  injectVe(run, exit, { reason: exit.reason, qualification, gla: 0n, gpa: 0n });

/** #VE for an access to private memory that its guest has not accepted. */
export const injectEptVe = (run: TdRun, exit: VmExit, qualification: bigint, gpa: bigint, gla: bigint): void =>
  injectVe(run, exit, { reason: EXIT_REASON.EPT_VIOLATION, qualification, gla, gpa });

/** Type 2, vector 2. */
const NMI = VALID | (2 << 8) | 2;

/**
 * An NMI that the host left in PEND_NMI goes in at the next entry, unless a #VE record waits or another event goes first
 * (td-exits.md §4). NMI blocking by the guest's own handler is not modelled: there is no NMI window.
 */
export function injectPendingNmi({ tdvps }: TdRun): void {
  if (tdvps.get(TDVPS.PEND_NMI) === 0) return;
  const isHeld = tdvps.get(VE_INFO.VALID) !== 0 || (tdvps.get(TD_VMCS.VM_ENTRY_INTR_INFO) & VALID) !== 0;
  if (isHeld) return;
  tdvps.set(TD_VMCS.VM_ENTRY_INTR_INFO, NMI >>> 0);
  tdvps.set(TDVPS.PEND_NMI, 0);
}
