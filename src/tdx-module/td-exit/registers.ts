import { GPR, type InjectedEvent, type TdVmcs, type VmExit } from '../../platform/index.ts';
import { type Field, type U64, u32, u64 } from '../../spec/field.ts';
import { TD_VMCS, TDCS, TDVPS } from '../../spec/layouts.ts';
import { septRoot, sharedBit } from '../sept/access.ts';
import type { TdRun } from './run.ts';

const GPR_COUNT = 16;
const GPR_BYTES = 8 * GPR_COUNT;
/** TDVPS pages that the CPU uses by itself. */
export const VMCS_PAGE = TD_VMCS.VPID.offset >> 12;
/** The local APIC id register in the virtual-APIC page. */
export const XAPIC_ID = u32(TDVPS.VAPIC.offset + 0x20);

/** The VMCS fields that move at every entry and exit lie together. */
const FIRST = TD_VMCS.GUEST_PHYSICAL_ADDRESS.offset;
const END = TD_VMCS.GUEST_PENDING_DBG_EXCEPTIONS.offset + TD_VMCS.GUEST_PENDING_DBG_EXCEPTIONS.size;

const INFO_VECTOR = 0xff;
const INFO_ERROR_CODE_VALID = 1 << 11;
const INFO_VALID = 1 << 31;
const LMA = 1n << 10n;

/** Where a guest's register lies in TDVPS; RSP is in the VMCS. */
export const gprField = (register: number): U64 =>
  register === GPR.RSP ? TD_VMCS.GUEST_RSP : u64(TDVPS.RAX.offset + 8 * register);

/** Guest registers as handlers see them: in simulated memory, because the LP's own belong to the module now. */
export const readGpr = (run: TdRun, register: number): bigint => run.tdvps.get(gprField(register));
export const writeGpr = (run: TdRun, register: number, value: bigint): void => run.tdvps.set(gprField(register), value);

/** 64-bit mode, without which TDCALL is #GP. CS.L is taken to go with EFER.LMA. */
export const isLongMode = (run: TdRun): boolean => (run.tdvps.get(TD_VMCS.GUEST_IA32_EFER) & LMA) !== 0n;

/** The exiting instruction is done: RIP goes past it. */
export const advanceRip = (run: TdRun, exit: VmExit): void =>
  run.tdvps.set(TD_VMCS.GUEST_RIP, run.tdvps.get(TD_VMCS.GUEST_RIP) + BigInt(exit.instructionLength));

const readVmcs = ({ tdvps, lp }: TdRun): Uint8Array => lp.loadBytes(tdvps.at(FIRST), END - FIRST, tdvps.keyId);
const of = <T>(bytes: Uint8Array, field: Field<T>): T => field.get(bytes, -FIRST);
const put = <T>(bytes: Uint8Array, field: Field<T>, value: T): void => field.set(bytes, value, -FIRST);

/** VM entry: registers from TDVPS into the LP, guest state from the VMCS into the CPU, and what the CPU must know while the TD runs. */
export function enterGuest(run: TdRun): TdVmcs {
  const { lp, tdvps, cpu } = run;
  const vmcs = readVmcs(run);
  lp.gpr.set(lp.load(tdvps.at(TDVPS.RAX.offset), GPR_BYTES, tdvps.keyId).u64.subarray(0, GPR_COUNT));
  lp.gpr[GPR.RSP] = of(vmcs, TD_VMCS.GUEST_RSP);
  cpu.state.rip = of(vmcs, TD_VMCS.GUEST_RIP);
  cpu.state.rflags = of(vmcs, TD_VMCS.GUEST_RFLAGS);
  cpu.state.cr0 = of(vmcs, TD_VMCS.GUEST_CR0);
  cpu.state.cr3 = of(vmcs, TD_VMCS.GUEST_CR3);
  cpu.state.cr4 = of(vmcs, TD_VMCS.GUEST_CR4);
  cpu.state.efer = of(vmcs, TD_VMCS.GUEST_IA32_EFER);
  const inject = injected(of(vmcs, TD_VMCS.VM_ENTRY_INTR_INFO), of(vmcs, TD_VMCS.VM_ENTRY_EXCEPTION_ERROR_CODE));
  // The CPU clears the valid bit at the VM exit that follows (SDM 28.2.4).
  if (inject) tdvps.set(TD_VMCS.VM_ENTRY_INTR_INFO, 0);
  return { ...guestMemory(run), veInfoPa: tdvps.at(0), vmcsPa: tdvps.page(VMCS_PAGE), inject };
}

const injected = (info: number, errorCode: number): InjectedEvent | null =>
  (info & INFO_VALID) === 0
    ? null
    : { vector: info & INFO_VECTOR, errorCode: (info & INFO_ERROR_CODE_VALID) === 0 ? null : errorCode };

const guestMemory = ({ tdcs, tdvps }: TdRun): Pick<TdVmcs, 'keyId' | 'septRoot' | 'septLevels' | 'sharedEptp' | 'sharedBit'> => {
  const root = septRoot(tdcs);
  return {
    keyId: root.keyId,
    septRoot: root.pa,
    septLevels: root.level + 1,
    sharedEptp: Number(tdvps.get(TD_VMCS.SHARED_EPTP) & EPTP_ADDRESS),
    sharedBit: sharedBit(tdcs.get(TDCS.GPAW)),
  };
};
const EPTP_ADDRESS = 0xf_ffff_ffff_f000n;

/** VM exit: everything back into TDVPS at once, with the exit's own fields. */
export function leaveGuest(run: TdRun, exit: VmExit): void {
  const { lp, tdvps, cpu } = run;
  const { u64: words } = lp.platform.core.mailbox;
  words.set(lp.gpr);
  words[GPR.RSP] = 0n;
  lp.store(tdvps.at(TDVPS.RAX.offset), GPR_BYTES, tdvps.keyId);
  const vmcs = readVmcs(run);
  put(vmcs, TD_VMCS.GUEST_RSP, lp.gpr[GPR.RSP]!);
  put(vmcs, TD_VMCS.GUEST_RIP, cpu.state.rip);
  put(vmcs, TD_VMCS.GUEST_RFLAGS, cpu.state.rflags);
  put(vmcs, TD_VMCS.GUEST_CR0, cpu.state.cr0);
  put(vmcs, TD_VMCS.GUEST_CR3, cpu.state.cr3);
  put(vmcs, TD_VMCS.GUEST_CR4, cpu.state.cr4);
  put(vmcs, TD_VMCS.GUEST_IA32_EFER, cpu.state.efer);
  put(vmcs, TD_VMCS.VM_EXIT_REASON, exit.reason);
  put(vmcs, TD_VMCS.VM_EXIT_INTR_INFO, exit.interruptionInfo);
  put(vmcs, TD_VMCS.VM_EXIT_INSTRUCTION_LEN, exit.instructionLength);
  put(vmcs, TD_VMCS.VM_EXIT_INSTRUCTION_INFO, exit.instructionInfo);
  put(vmcs, TD_VMCS.EXIT_QUALIFICATION, exit.qualification);
  put(vmcs, TD_VMCS.GUEST_LINEAR_ADDRESS, exit.gla);
  put(vmcs, TD_VMCS.GUEST_PHYSICAL_ADDRESS, exit.gpa);
  lp.storeBytes(tdvps.at(FIRST), vmcs, tdvps.keyId);
}
