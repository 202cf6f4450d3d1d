import { GPR, type GuestCpu, type GuestSoftware, type InterruptFrame } from '../platform/guest-cpu.ts';
import { EIO } from '../spec/errno.ts';
import { TDVMCALL } from '../spec/tdvmcall.ts';
import type { TdGuest } from './kernel.ts';
import { tdvmcall } from './tdvmcall.ts';
import type { VeInfo } from './ve.ts';

/** Exit qualification of I/O instructions (SDM volume 3, table 28-5). */
const isString = (qualification: bigint): boolean => (qualification & 0x10n) !== 0n;
const isIn = (qualification: bigint): boolean => (qualification & 8n) !== 0n;
const sizeOf = (qualification: bigint): number => Number(qualification & 7n) + 1;
const portOf = (qualification: bigint): bigint => (qualification >> 16n) & 0xffffn;

/** #VE by IN or OUT: one TDVMCALL<Instruction.IO>; string I/O fails. */
export function* handleIo(
  guest: TdGuest,
  cpu: GuestCpu,
  _frame: InterruptFrame,
  saved: BigUint64Array,
  ve: VeInfo,
): GuestSoftware<number> {
  const { qualification } = ve;
  if (isString(qualification)) return -EIO;
  const size = sizeOf(qualification);
  // Guests up to 7.1 build the mask with GENMASK(BITS_PER_BYTE * size, 0): one bit too wide (linux-upstream.md §8.10).
  const bits = 8 * size + (guest.knobs['guest.ioMaskBug'] === 'on' ? 1 : 0);
  const mask = (1n << BigInt(bits)) - 1n;
  const rax = saved[GPR.RAX]!;
  if (!isIn(qualification)) {
    const status = yield* tdvmcall(cpu, TDVMCALL.IO, { R12: BigInt(size), R13: 1n, R14: portOf(qualification), R15: rax & mask });
    return status === 0n ? ve.instructionLength : -EIO;
  }
  const status = yield* tdvmcall(cpu, TDVMCALL.IO, { R12: BigInt(size), R13: 0n, R14: portOf(qualification) });
  saved[GPR.RAX] = rax & ~mask;
  if (status !== 0n) return -EIO;
  saved[GPR.RAX] = (rax & ~mask) | (cpu.gpr[GPR.R11]! & mask);
  return ve.instructionLength;
}
