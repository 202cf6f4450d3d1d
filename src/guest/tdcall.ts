import { GPR, type GuestCpu, type GuestSoftware } from '../platform/guest-cpu.ts';
import { tdcallName } from '../spec/leaves.ts';
import { statusName } from '../spec/status.ts';
import { GuestPanic } from './observer.ts';

export type Register = keyof typeof GPR;
export type Registers = Readonly<Partial<Record<Register, bigint>>>;

/** Executes TDCALL with the leaf in RAX and the given registers; returns the completion status. Outputs stay in the registers. */
export function* tdcall(cpu: GuestCpu, leaf: bigint, registers: Registers = {}): GuestSoftware<bigint> {
  for (const [name, value] of Object.entries(registers)) cpu.gpr[GPR[name as Register]] = value;
  cpu.gpr[GPR.RAX] = leaf;
  yield* cpu.tdcall();
  return cpu.gpr[GPR.RAX]!;
}

/** A TDCALL that Linux does not expect to fail (tdcall() in arch/x86/coco/tdx): failure is a panic. */
export function* mustTdcall(cpu: GuestCpu, leaf: bigint, registers: Registers = {}): GuestSoftware {
  const status = yield* tdcall(cpu, leaf, registers);
  if (status !== 0n) throw new GuestPanic(`TDCALL ${tdcallName(leaf)} failed (Buggy TDX module!): ${statusName(status)}`);
}
