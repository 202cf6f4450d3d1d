import type { VmExit } from '../../platform/index.ts';
import { EXIT_REASON, EXIT_REASON_NAMES, type ExitReasonName, L1_OUTCOME, type L1Outcome } from '../../spec/exits.ts';
import { ATTRIBUTES, TDCS } from '../../spec/layouts.ts';
import { TDX_NON_RECOVERABLE_TD, TDX_NON_RECOVERABLE_VCPU } from '../../spec/status.ts';
import { cpuidExit } from './cpuid.ts';
import { crAccessExit } from './cr-access.ts';
import { eptMisconfigurationExit, eptViolationExit } from './ept-violation.ts';
import { injectGp, injectInstructionVe, injectUd } from './inject.ts';
import { msrReadExit, msrWriteExit } from './msr.ts';
import { asyncExit, type ExitHandler, unexpectedExit } from './outcome.ts';
import { tdcallExit } from './tdcall.ts';
import { xsetbvExit } from './xsetbv.ts';

const VECTOR_MASK = 0xff;
const NMI_VECTOR = 2;
const MACHINE_CHECK_VECTOR = 18;
const CONTEXT_INVALID = 1n;
const MSMI = 1n;

/** Exits that tell the host about the event in R9. */
const WITH_INTERRUPTION_INFO: ReadonlySet<ExitReasonName> = new Set(['INTERRUPT', 'SMI_OTHER_EVENT', 'C_STATE_SMI']);

/** Is it a machine check in the TD: consumed poison, an MSMI, or one during VM entry? Then the TD's memory must not be touched any more. */
export const isMachineCheck = ({ reason, interruptionInfo, qualification }: VmExit): boolean =>
  (reason === EXIT_REASON.EXCEPTION_OR_NMI && (interruptionInfo & VECTOR_MASK) === MACHINE_CHECK_VECTOR) ||
  (reason === EXIT_REASON.SMI_OTHER_EVENT && (qualification & MSMI) !== 0n) ||
  reason === EXIT_REASON.FAILED_VMENTER_MC;

/** Handlers by the outcome column of the exit table. */
const BY_OUTCOME: Readonly<Record<Exclude<L1Outcome, 'own-rule'>, ExitHandler>> = {
  async: function* (_run, exit) {
    const name = EXIT_REASON_NAMES.get(exit.reason)!;
    return asyncExit(exit, { interruptionInfo: WITH_INTERRUPTION_INFO.has(name) ? exit.interruptionInfo : 0 });
  },
  'triple-fault': function* (_run, exit) {
    return asyncExit(exit, { status: TDX_NON_RECOVERABLE_VCPU });
  },
  'nmi-or-exception': function* (run, exit) {
    const isNmi = (exit.interruptionInfo & VECTOR_MASK) === NMI_VECTOR;
    return isNmi ? asyncExit(exit, { interruptionInfo: exit.interruptionInfo }) : unexpectedExit(run, exit);
  },
  unexpected: function* (run, exit) {
    return unexpectedExit(run, exit);
  },
  ve: function* (run, exit) {
    injectInstructionVe(run, exit);
    return null;
  },
  ud: function* (run) {
    injectUd(run);
    return null;
  },
  gp: function* (run) {
    injectGp(run);
    return null;
  },
};

/** Exits with a rule of their own. The others of the table (windows, MTF, VM-entry failures, PML) are unexpected in this model. */
const OWN_RULE: ReadonlyMap<number, ExitHandler> = new Map<number, ExitHandler>([
  [EXIT_REASON.CPUID_INSTRUCTION, cpuidExit],
  [EXIT_REASON.MSR_READ, msrReadExit],
  [EXIT_REASON.MSR_WRITE, msrWriteExit],
  [EXIT_REASON.CR_ACCESS, crAccessExit],
  [EXIT_REASON.XSETBV_INSTRUCTION, xsetbvExit],
  [EXIT_REASON.EPT_VIOLATION, eptViolationExit],
  [EXIT_REASON.EPT_MISCONFIGURATION, eptMisconfigurationExit],
  [EXIT_REASON.TDCALL, tdcallExit],
  [
    EXIT_REASON.RDPMC_INSTRUCTION,
    function* (run, exit) {
      if ((run.tdcs.get(TDCS.ATTRIBUTES) & ATTRIBUTES.PERFMON) !== 0n) return unexpectedExit(run, exit);
      injectGp(run);
      return null;
    },
  ],
  [
    EXIT_REASON.NOTIFICATION,
    function* (_run, exit) {
      return asyncExit(exit, (exit.qualification & CONTEXT_INVALID) === 0n ? {} : { status: TDX_NON_RECOVERABLE_TD });
    },
  ],
]);

/** What the module does with a VM exit of the TD. */
export const handlerOf = ({ reason }: VmExit): ExitHandler => {
  const own = OWN_RULE.get(reason);
  if (own) return own;
  const name = EXIT_REASON_NAMES.get(reason);
  const outcome = name ? L1_OUTCOME[name] : 'unexpected';
  return BY_OUTCOME[outcome === 'own-rule' ? 'unexpected' : outcome];
};
