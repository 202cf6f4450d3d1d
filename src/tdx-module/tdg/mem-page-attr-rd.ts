import { EXIT_REASON } from '../../spec/exits.ts';
import { inStates, SEPT_ACCEPTS, SEPT_FLAG, septState } from '../../spec/sept.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import { isPrivateGpa, septRoot } from '../sept/access.ts';
import { levelSize } from '../sept/entry.ts';
import { type SeptPosition, walk } from '../sept/walk.ts';
import { ensure, INVALID } from '../status.ts';
import { violationExit } from '../td-exit/ept-violation.ts';
import { type GuestLeaf, TdcallStopped } from './context.ts';
import { lockEntry } from './memory.ts';

const PAGE_OFFSET = 0xfffn;
const PENDING = 1n << 62n;

/** TDG.MEM.PAGE.ATTR.RD: size and state of the page behind a GPA. There are no L2 VMs, so all attributes read 0 (assumed for VM 0). */
export const memPageAttrRd: GuestLeaf = function* (ctx) {
  const { tdcs, lp, rcx } = ctx;
  ensure((rcx & PAGE_OFFSET) === 0n && isPrivateGpa(tdcs, Number(rcx)), INVALID.RCX);
  const at = lockEntry(ctx, walk(lp, septRoot(tdcs), Number(rcx), 0));
  if (!inStates(SEPT_ACCEPTS.TDG_MEM_PAGE_ATTR_RD, septState(at.entry))) {
    throw new TdcallStopped(violationExit({ ...ctx.exit, reason: EXIT_REASON.EPT_VIOLATION, gpa: rcx, qualification: 0n }));
  }
  yield 'lock';
  ctx.rcx = pageOutput(at, Number(rcx));
  ctx.rdx = 0n;
  return TDX_SUCCESS;
};

/** RCX of both attribute leaves: the page's GPA, its level, and whether it is pending. */
export const pageOutput = (at: SeptPosition, gpa: number): bigint =>
  BigInt(gpa - (gpa % levelSize(at.level))) |
  BigInt(at.level) |
  (inStates(SEPT_FLAG.any_pending, septState(at.entry)) ? PENDING : 0n);
