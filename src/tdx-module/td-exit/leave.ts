import { GPR, type VmExit } from '../../platform/index.ts';
import { EXIT_REASON } from '../../spec/exits.ts';
import { TDCS, TDR, TDVPS } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import { LAST_TD_EXIT, VCPU_STATE } from '../../spec/states.ts';
import { TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE } from '../../spec/status.ts';
import { type AsyncExit, asyncExit, exitEffect, type TdvmcallExit } from './outcome.ts';
import { readGpr } from './registers.ts';
import type { TdRun } from './run.ts';

const PAGE_MASK = 0xfffn;

/** The TD is left: management state, epoch count, host registers. Returns the host's RAX. */
export function leaveTd(run: TdRun, outcome: AsyncExit | TdvmcallExit): bigint {
  const { tdvps } = run;
  if (outcome.kind === 'tdvmcall') {
    tdvps.set(TDVPS.VCPU_STATE, VCPU_STATE.READY);
    tdvps.set(TDVPS.LAST_TD_EXIT, LAST_TD_EXIT.TDVMCALL);
  } else {
    const effect = exitEffect(outcome.status);
    if (effect.vcpuState !== null) tdvps.set(TDVPS.VCPU_STATE, effect.vcpuState);
    if (effect.lastTdExit !== null) tdvps.set(TDVPS.LAST_TD_EXIT, effect.lastTdExit);
    if (effect.fatal) run.tdr.set(TDR.FATAL, 1);
  }
  tdvps.set(TDVPS.LAST_EXIT_TSC, run.lp.rdmsr(MSR.IA32_TSC));
  leaveEpoch(run);
  return outcome.kind === 'tdvmcall' ? tdvmcallRegisters(run, outcome) : asyncRegisters(run, outcome);
}

/**
 * A machine check hit the TD, or another VCPU's did: nothing under the TD's key is touched any more, the epoch count stays as it is.
 * The TDR is under the global key, so it can say that the TD is dead.
 */
export function leaveInaccessibleTd(run: TdRun, exit: VmExit): bigint {
  run.tdr.set(TDR.FATAL, 1);
  return asyncRegisters(
    run,
    asyncExit(exit, { status: TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE, interruptionInfo: exit.interruptionInfo }),
  );
}

/** One VCPU less in the epoch that this one entered in. */
export const leaveEpoch = ({ tdcs, tdvps }: TdRun): void => {
  tdcs.add(TDCS.REFCOUNT.item(Number(tdvps.get(TDVPS.VCPU_EPOCH) & 1n)), -1);
};

/** td-exits.md §2: nothing of the guest is in the host's registers. */
function asyncRegisters(run: TdRun, exit: AsyncExit): bigint {
  const { gpr } = run.lp;
  gpr.fill(0n);
  gpr[GPR.RSP] = run.hostRsp;
  gpr[GPR.RCX] = exit.qualification;
  gpr[GPR.RDX] = exit.extended;
  gpr[GPR.R8] = exit.gpa & ~PAGE_MASK;
  gpr[GPR.R9] = BigInt(exit.interruptionInfo >>> 0);
  return exit.status | BigInt(exit.reason);
}

/** td-exits.md §3: the registers that the guest selected, zero in the others. */
function tdvmcallRegisters(run: TdRun, { mask }: TdvmcallExit): bigint {
  const { gpr } = run.lp;
  gpr.forEach((_, register) => {
    gpr[register] = isSelected(mask, register) ? readGpr(run, register) : 0n;
  });
  gpr[GPR.RSP] = run.hostRsp;
  if (run.keepsRbp) gpr[GPR.RBP] = run.hostRbp;
  gpr[GPR.RCX] = mask;
  return BigInt(EXIT_REASON.TDCALL);
}

/** Is the register in a TDG.VP.VMCALL mask? */
export const isSelected = (mask: bigint, register: number): boolean => ((mask >> BigInt(register)) & 1n) === 1n;
