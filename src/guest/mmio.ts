import { GPR, type GuestCpu, type GuestSoftware, type InterruptFrame } from '../platform/guest-cpu.ts';
import { EFAULT, EINVAL, EIO } from '../spec/errno.ts';
import { TDVMCALL } from '../spec/tdvmcall.ts';
import { decodeMmio, type MmioInstruction } from './insn.ts';
import type { TdGuest } from './kernel.ts';
import { tdvmcall } from './tdvmcall.ts';
import type { VeInfo } from './ve.ts';

const MAX_INSTRUCTION = 15;
const PAGE = 4096n;

/**
 * #VE by an EPT violation on a shared GPA, in the kernel: the host cannot read the guest's code, so the guest decodes the instruction and asks
 * for the access (arch/x86/coco/tdx, handle_mmio). Returns the decoded length, or a negative errno. `saved` are the interrupted registers.
 */
export function* handleMmio(
  guest: TdGuest,
  cpu: GuestCpu,
  frame: InterruptFrame,
  saved: BigUint64Array,
  ve: VeInfo,
): GuestSoftware<number> {
  if (frame.cpl !== 0) return -EFAULT;
  const code = yield* guest.fetch(cpu, frame.rip, MAX_INSTRUCTION);
  const instruction = decodeMmio(code);
  if (!instruction || instruction.kind === 'movs') return guest.decodeFailed();
  // Confused-deputy guard: a user pointer must never be aimed at MMIO (upstream since 6.12).
  if (ve.gla >> 63n === 0n) return -EINVAL;
  // A split access cannot be one hypercall; -EFAULT lets load_unaligned_zeropad() recover.
  if (ve.gla / PAGE !== (ve.gla + BigInt(instruction.size) - 1n) / PAGE) return -EFAULT;
  const write = instruction.kind === 'write' || instruction.kind === 'write-imm';
  const data = write ? sourceOf(instruction, saved) : 0n;
  const status = yield* tdvmcall(cpu, TDVMCALL.MMIO, {
    R12: BigInt(instruction.size),
    R13: write ? 1n : 0n,
    R14: ve.gpa,
    R15: data,
  });
  if (status !== 0n) return -EIO;
  if (!write) assign(instruction, saved, cpu.gpr[GPR.R11]!);
  return instruction.length;
}

const sourceOf = (instruction: MmioInstruction, saved: BigUint64Array): bigint => {
  if (instruction.kind === 'write-imm') return instruction.immediate;
  const value = saved[instruction.register]! >> (instruction.highByte ? 8n : 0n);
  return BigInt.asUintN(8 * instruction.size, value);
};

/** Requirement S3-22: a plain 4-byte read zero-extends; extending moves write the operand size only, even where hardware would clear bits 63:32. */
function assign(instruction: MmioInstruction, saved: BigUint64Array, value: bigint): void {
  const bits = 8 * instruction.size;
  const read = BigInt.asUintN(bits, value);
  const { kind, register } = instruction;
  if (kind === 'read') {
    if (instruction.size === 4) saved[register] = read;
    else saved[register] = insert(saved[register]!, read, bits, instruction.highByte ? 8 : 0);
    return;
  }
  const extended = kind === 'read-sign-extend' ? BigInt.asIntN(bits, read) : read;
  const width = 8 * instruction.operandSize;
  saved[register] = insert(saved[register]!, BigInt.asUintN(width, extended), width, 0);
}

const insert = (old: bigint, value: bigint, bits: number, shift: number): bigint => {
  const mask = ((1n << BigInt(bits)) - 1n) << BigInt(shift);
  return (old & ~mask) | (value << BigInt(shift));
};
