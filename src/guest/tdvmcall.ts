import { GPR, type GuestCpu, type GuestSoftware } from '../platform/guest-cpu.ts';
import { TDG } from '../spec/leaves.ts';
import { TDVMCALL_EXPOSE_REGS_MASK } from '../spec/tdvmcall.ts';
import { mustTdcall, type Registers } from './tdcall.ts';

/** A GHCI hypercall: sub-function in R11, up to four arguments in R12..R15. Returns R10; results are in R11..R15. */
export function* tdvmcall(cpu: GuestCpu, subFunction: bigint, registers: Registers = {}): GuestSoftware<bigint> {
  yield* mustTdcall(cpu, TDG.VP_VMCALL, {
    RCX: TDVMCALL_EXPOSE_REGS_MASK,
    RDX: 0n,
    RBX: 0n,
    RSI: 0n,
    RDI: 0n,
    R8: 0n,
    R9: 0n,
    R10: 0n,
    R12: 0n,
    R13: 0n,
    R14: 0n,
    R15: 0n,
    ...registers,
    R11: subFunction,
  });
  return cpu.gpr[GPR.R10]!;
}
