import { GPR, type GuestCpu, type GuestSoftware, type InterruptFrame } from '../platform/guest-cpu.ts';
import { EINVAL, EIO } from '../spec/errno.ts';
import { EXIT_REASON } from '../spec/exits.ts';
import { TDG } from '../spec/leaves.ts';
import { TDVMCALL } from '../spec/tdvmcall.ts';
import type { TdGuest } from './kernel.ts';
import { handleMmio } from './mmio.ts';
import { GuestPanic } from './observer.ts';
import { handleIo } from './port-io.ts';
import { mustTdcall } from './tdcall.ts';
import { tdvmcall } from './tdvmcall.ts';

/** What TDG.VP.VEINFO.GET returns. */
export interface VeInfo {
  readonly reason: number;
  readonly qualification: bigint;
  readonly gla: bigint;
  readonly gpa: bigint;
  /** Bytes; undefined hardware-wise for EPT violations. */
  readonly instructionLength: number;
}

/** One reason's handler: the number of bytes to advance RIP, or a negative errno (VE fault). */
type VeHandler = (
  guest: TdGuest,
  cpu: GuestCpu,
  frame: InterruptFrame,
  saved: BigUint64Array,
  ve: VeInfo,
) => GuestSoftware<number>;

const HYPERVISOR_CPUID_FIRST = 0x4000_0000n;
const HYPERVISOR_CPUID_LAST = 0x4fff_ffffn;
const INTERRUPT_FLAG = 1n << 9n;
const LOW32 = 0xffff_ffffn;

function* handleHlt(
  guest: TdGuest,
  cpu: GuestCpu,
  frame: InterruptFrame,
  _saved: BigUint64Array,
  ve: VeInfo,
): GuestSoftware<number> {
  if ((frame.rflags & INTERRUPT_FLAG) !== 0n) {
    guest.warn('HLT instruction emulation cannot ensure interrupts are off');
    return -EIO;
  }
  return (yield* tdvmcall(cpu, TDVMCALL.HLT, { R12: 1n })) === 0n ? ve.instructionLength : -EIO;
}

function* handleCpuid(
  _guest: TdGuest,
  cpu: GuestCpu,
  _frame: InterruptFrame,
  saved: BigUint64Array,
  ve: VeInfo,
): GuestSoftware<number> {
  const leaf = saved[GPR.RAX]!;
  let out = [0n, 0n, 0n, 0n];
  if (leaf >= HYPERVISOR_CPUID_FIRST && leaf <= HYPERVISOR_CPUID_LAST) {
    if ((yield* tdvmcall(cpu, TDVMCALL.CPUID, { R12: leaf, R13: saved[GPR.RCX]! })) !== 0n) return -EIO;
    out = [cpu.gpr[GPR.R12]!, cpu.gpr[GPR.R13]!, cpu.gpr[GPR.R14]!, cpu.gpr[GPR.R15]!];
  }
  [saved[GPR.RAX], saved[GPR.RBX], saved[GPR.RCX], saved[GPR.RDX]] = out as [bigint, bigint, bigint, bigint];
  return ve.instructionLength;
}

function* handleRdmsr(
  _guest: TdGuest,
  cpu: GuestCpu,
  _frame: InterruptFrame,
  saved: BigUint64Array,
  ve: VeInfo,
): GuestSoftware<number> {
  if ((yield* tdvmcall(cpu, TDVMCALL.RDMSR, { R12: saved[GPR.RCX]! & LOW32 })) !== 0n) return -EIO;
  const value = cpu.gpr[GPR.R11]!;
  saved[GPR.RAX] = value & LOW32;
  saved[GPR.RDX] = value >> 32n;
  return ve.instructionLength;
}

function* handleWrmsr(
  _guest: TdGuest,
  cpu: GuestCpu,
  _frame: InterruptFrame,
  saved: BigUint64Array,
  ve: VeInfo,
): GuestSoftware<number> {
  const value = (saved[GPR.RAX]! & LOW32) | (saved[GPR.RDX]! << 32n);
  return (yield* tdvmcall(cpu, TDVMCALL.WRMSR, { R12: saved[GPR.RCX]! & LOW32, R13: value })) === 0n
    ? ve.instructionLength
    : -EIO;
}

function* handleEptViolation(
  guest: TdGuest,
  cpu: GuestCpu,
  frame: InterruptFrame,
  saved: BigUint64Array,
  ve: VeInfo,
): GuestSoftware<number> {
  if ((ve.gpa & guest.sharedMask) === 0n) throw new GuestPanic('Unexpected EPT-violation on private memory.');
  return yield* handleMmio(guest, cpu, frame, saved, ve);
}

/** WBINVD has no handler upstream: the calling code is the bug (requirement S3-18). The knob holds the alternatives that were discussed. */
function* handleWbinvd(
  guest: TdGuest,
  cpu: GuestCpu,
  _frame: InterruptFrame,
  _saved: BigUint64Array,
  ve: VeInfo,
): GuestSoftware<number> {
  const policy = guest.knobs['guest.wbinvd'];
  if (policy === 'tdvmcall') return (yield* tdvmcall(cpu, TDVMCALL.WBINVD, { R12: 0n })) === 0n ? ve.instructionLength : -EIO;
  guest.warn(`Unexpected #VE: ${ve.reason}`);
  return policy === 'warn-ignore' ? ve.instructionLength : -EIO;
}

const KERNEL_HANDLERS: ReadonlyMap<number, VeHandler> = new Map<number, VeHandler>([
  [EXIT_REASON.HLT_INSTRUCTION, handleHlt],
  [EXIT_REASON.CPUID_INSTRUCTION, handleCpuid],
  [EXIT_REASON.IO_INSTRUCTION, handleIo],
  [EXIT_REASON.MSR_READ, handleRdmsr],
  [EXIT_REASON.MSR_WRITE, handleWrmsr],
  [EXIT_REASON.EPT_VIOLATION, handleEptViolation],
  [EXIT_REASON.WBINVD_INSTRUCTION, handleWbinvd],
]);

const USER_HANDLERS: ReadonlyMap<number, VeHandler> = new Map<number, VeHandler>([[EXIT_REASON.CPUID_INSTRUCTION, handleCpuid]]);

/** exc_virtualization_exception: VE_INFO first (a second #VE before that is #DF), then the reason's handler, then RIP or a VE fault. */
export function* handleVe(guest: TdGuest, cpu: GuestCpu, frame: InterruptFrame): GuestSoftware {
  const saved = BigUint64Array.from(cpu.gpr);
  const ve = yield* readVeInfo(cpu);
  guest.countVe(ve.reason);
  const handler = (frame.cpl === 0 ? KERNEL_HANDLERS : USER_HANDLERS).get(ve.reason);
  let advance = -EINVAL;
  if (handler) advance = yield* handler(guest, cpu, frame, saved, ve);
  else guest.warn(`Unexpected #VE: ${ve.reason}`);
  if (advance < 0) guest.veFault(frame, saved, advance);
  else frame.rip += BigInt(advance);
  cpu.gpr.set(saved);
}

export function* readVeInfo(cpu: GuestCpu): GuestSoftware<VeInfo> {
  yield* mustTdcall(cpu, TDG.VP_VEINFO_GET);
  const { gpr } = cpu;
  return {
    reason: Number(gpr[GPR.RCX]! & LOW32),
    qualification: gpr[GPR.RDX]!,
    gla: gpr[GPR.R8]!,
    gpa: gpr[GPR.R9]!,
    instructionLength: Number(gpr[GPR.R10]! & LOW32),
  };
}
