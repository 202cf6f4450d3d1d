import { EXIT_REASON } from '../../spec/exits.ts';
import { SEPT, SEPT_STATE_NUMBER, septState } from '../../spec/sept.ts';
import { EXTENDED_EXIT_QUALIFICATION } from '../../spec/states.ts';
import { isLeaf } from '../sept/entry.ts';
import type { SeptPosition } from '../sept/walk.ts';
import { asyncExit } from '../td-exit/outcome.ts';
import { logFault } from '../td-exit/stepping.ts';
import { type GuestContext, TdcallStopped } from './context.ts';

const PERMISSIONS_SHIFT = 3n;
const RWX = 0x7n;

/** An EPT-violation TD exit that tells the host what the guest wanted and how far the walk got (td-exits.md §2, types 1 and 5). */
export function detailedViolation(
  { run, exit }: GuestContext,
  type: 'ACCEPT' | 'ATTR_WR',
  wanted: { readonly gpa: number; readonly level: number },
  at: SeptPosition,
): TdcallStopped {
  const info =
    BigInt(wanted.level) |
    (BigInt(at.level) << 3n) |
    (BigInt(SEPT_STATE_NUMBER[septState(at.entry)]!) << 6n) |
    (isLeaf(at.entry) ? 1n << 14n : 0n);
  logFault(run, BigInt(wanted.gpa));
  return new TdcallStopped(
    asyncExit(exit, {
      reason: EXIT_REASON.EPT_VIOLATION,
      qualification: SEPT.W | ((at.entry & RWX) << PERMISSIONS_SHIFT),
      extended: BigInt(EXTENDED_EXIT_QUALIFICATION[type]) | (info << 32n),
      gpa: BigInt(wanted.gpa),
    }),
  );
}
