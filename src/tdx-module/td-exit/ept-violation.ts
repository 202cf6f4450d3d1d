import type { VmExit } from '../../platform/index.ts';
import { LIMIT, TD_CTLS, TDCS } from '../../spec/layouts.ts';
import { inStates, SEPT_FLAG, septState } from '../../spec/sept.ts';
import { EXTENDED_EXIT_QUALIFICATION } from '../../spec/states.ts';
import { isPrivateGpa, septRoot } from '../sept/access.ts';
import { walk } from '../sept/walk.ts';
import { injectEptVe, injectPf } from './inject.ts';
import { type AsyncExit, asyncExit, type ExitHandler, type Outcome } from './outcome.ts';
import type { TdRun } from './run.ts';
import { logFault } from './stepping.ts';

const QUALIFICATION_WRITE = 1n << 1n;
const QUALIFICATION_FETCH = 1n << 2n;
const QUALIFICATION_GLA_VALID = 1n << 7n;
/** Bits 12:7 tell about the guest's linear address: not the host's business. */
const QUALIFICATION_GUEST_BITS = 0x1f80n;
const PF_PRESENT = 1;
const PF_WRITE = 2;
const PF_USER = 4;
const PF_RESERVED = 8;
const PF_FETCH = 16;

/** EPT violation of L1, in the order of td-exits.md §6. */
export const eptViolationExit: ExitHandler = function* (run, exit) {
  if (isBeyondGpaw(run, exit)) {
    injectPf(run, pageFaultCode(run, exit), exit.gla);
    return null;
  }
  if (run.isShared(exit.gpa)) return violationExit(exit);
  return privateViolation(run, exit, exit.qualification, exit.gla);
};

/** With a 48-bit GPA width, bits above the shared bit are reserved in the guest's page tables. */
const isBeyondGpaw = ({ tdcs }: TdRun, exit: VmExit): boolean => {
  const width = tdcs.get(TDCS.GPAW) === 0 ? LIMIT.HPA_BITS - 4 : LIMIT.HPA_BITS;
  return exit.gpa >> BigInt(width) !== 0n && (exit.qualification & QUALIFICATION_GLA_VALID) !== 0n;
};

const pageFaultCode = (run: TdRun, { qualification }: VmExit): number =>
  PF_PRESENT |
  PF_RESERVED |
  ((qualification & QUALIFICATION_WRITE) === 0n ? 0 : PF_WRITE) |
  (run.cpu.cpl === 0 ? 0 : PF_USER) |
  ((qualification & QUALIFICATION_FETCH) === 0n ? 0 : PF_FETCH);

/**
 * A private GPA that the S-EPT does not let through. A page that waits for acceptance is #VE, or a TD exit where the TD has no
 * use for #VE; anything else is the host's, and counts for the zero-step guard.
 */
export function privateViolation(run: TdRun, exit: VmExit, qualification: bigint, gla: bigint): Outcome {
  const { tdcs, lp } = run;
  const at = walk(lp, septRoot(tdcs), Number(exit.gpa), 0);
  if (isPrivateGpa(tdcs, Number(exit.gpa)) && inStates(SEPT_FLAG.any_pending_and_guest_acceptable, septState(at.entry))) {
    if ((tdcs.get(TDCS.TD_CTLS) & TD_CTLS.PENDING_VE_DISABLE) !== 0n) {
      return violationExit(exit, { extended: BigInt(EXTENDED_EXIT_QUALIFICATION.PENDING_EPT_VIOLATION) });
    }
    injectEptVe(run, exit, qualification, exit.gpa, gla);
    return null;
  }
  logFault(run, exit.gpa);
  return violationExit(exit);
}

/** The TD exit of an EPT violation. */
export const violationExit = (exit: VmExit, fields: Partial<AsyncExit> = {}): AsyncExit =>
  asyncExit(exit, { qualification: exit.qualification & ~QUALIFICATION_GUEST_BITS, gpa: exit.gpa, ...fields });

/** EPT misconfiguration: only the host's own EPT can have one; nothing but the address is told. */
export const eptMisconfigurationExit: ExitHandler = function* (_run, exit) {
  return asyncExit(exit, { qualification: 0n, gpa: exit.gpa });
};
