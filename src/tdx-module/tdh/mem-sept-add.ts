import { SEPT_ACCEPTS, SEPT_STATE } from '../../spec/sept.ts';
import { PT } from '../../spec/states.ts';
import { OPERAND, TDX_EPT_ENTRY_STATE_INCORRECT, TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { lockPage } from '../pamt/walk.ts';
import { failWithEntry, openSept, type SeptPlan } from '../sept/access.ts';
import { nonLeafEntry } from '../sept/entry.ts';
import { clearSeptPage } from '../sept/pages.ts';
import { writeEntry } from '../sept/walk.ts';
import { ensure, INVALID } from '../status.ts';

const PLAN: SeptPlan = { lowest: 1, highest: 'root', tdr: 'shared', tree: 'shared', accepts: SEPT_ACCEPTS.TDH_MEM_SEPT_ADD };
const ALLOW_EXISTING = 1n;
const FLAGS = 0xfffn;
const NO_PAGE = 0xffff_ffff_ffff_ffffn;
const PAGE_NOT_USED = 1n << 63n;

/** TDH.MEM.SEPT.ADD: a new S-EPT page below a free entry. */
export const memSeptAdd: Leaf = function* (ctx) {
  const flags = ctx.rdx & FLAGS;
  const tdrOperand = ctx.rdx & ~FLAGS;
  ensure((flags & ~ALLOW_EXISTING) === 0n, INVALID.RDX);
  const access = openSept(ctx, PLAN, tdrOperand);
  const isFree = access.state === SEPT_STATE.FREE;
  if (ctx.r8 === NO_PAGE) ensure(ctx.version > 0 && !isFree, INVALID.R8);
  if (!isFree) {
    if ((flags & ALLOW_EXISTING) === 0n) failWithEntry(ctx, TDX_EPT_ENTRY_STATE_INCORRECT | OPERAND.RCX, access.at);
    if (ctx.r8 !== NO_PAGE) ctx.r8 |= PAGE_NOT_USED;
    return TDX_SUCCESS;
  }
  const page = lockPage(ctx, 'R8', ctx.r8, 'exclusive', PT.NDA);
  yield 'lock';
  clearSeptPage(ctx, page.pa, access.tdr.hkid);
  writeEntry(ctx.lp, access.at, nonLeafEntry(page.pa));
  access.tdr.addChildren(1);
  page.entry.assign(PT.EPT, access.tdr.pa);
  if (ctx.version > 0) ctx.r8 = NO_PAGE;
  return TDX_SUCCESS;
};
