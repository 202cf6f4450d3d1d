import { COST, type Software } from '../../platform/index.ts';
import { TD_VMCS, TDR } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import { handlerOf, isMachineCheck } from './handlers.ts';
import { injectPendingNmi } from './inject.ts';
import { leaveInaccessibleTd, leaveTd } from './leave.ts';
import { enterGuest, leaveGuest } from './registers.ts';
import type { TdRun } from './run.ts';
import { watchProgress } from './stepping.ts';

/** Runs the VCPU until the host has to know: enter, exit, handle, again. Returns the host's RAX. */
export function* runTd(run: TdRun): Software<bigint> {
  const { lp, module } = run;
  run.entryRip = run.tdvps.get(TD_VMCS.GUEST_RIP);
  run.entryTsc = lp.rdmsr(MSR.IA32_TSC);
  for (;;) {
    injectPendingNmi(run);
    lp.spend(COST.tdTransition);
    const exit = yield* module.platform.vmx.enter(lp, enterGuest(run));
    if (isMachineCheck(exit) || run.tdr.get(TDR.FATAL) !== 0) return leaveInaccessibleTd(run, exit);
    leaveGuest(run, exit);
    const outcome = yield* handlerOf(exit)(run, exit);
    if (outcome) return leaveTd(run, outcome);
    watchProgress(run);
  }
}
