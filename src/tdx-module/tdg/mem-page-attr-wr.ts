import { inStates, SEPT_ACCEPTS, SEPT_LEVEL, septState } from '../../spec/sept.ts';
import { TDX_PAGE_SIZE_MISMATCH, TDX_SUCCESS } from '../../spec/status.ts';
import { gpaAndLevel, isPrivateGpa, septRoot } from '../sept/access.ts';
import { isLeaf } from '../sept/entry.ts';
import { walk } from '../sept/walk.ts';
import { ensure, INVALID } from '../status.ts';
import type { GuestLeaf } from './context.ts';
import { pageOutput } from './mem-page-attr-rd.ts';
import { lockEntry } from './memory.ts';
import { detailedViolation } from './violation.ts';

/** TDG.MEM.PAGE.ATTR.WR: attributes of L2 aliases. Without L2 VMs only "nothing" is legal. */
export const memPageAttrWr: GuestLeaf = function* (ctx) {
  const { tdcs, lp, rcx, rdx, r8 } = ctx;
  ensure(rdx === 0n, INVALID.RDX);
  ensure(r8 === 0n, INVALID.R8);
  const target = gpaAndLevel(rcx, SEPT_LEVEL.PT_4K, SEPT_LEVEL.PDPT_1G);
  ensure(target !== null && isPrivateGpa(tdcs, target.gpa), INVALID.RCX);
  const found = walk(lp, septRoot(tdcs), target.gpa, target.level);
  if (found.level !== target.level) throw detailedViolation(ctx, 'ATTR_WR', target, found);
  const at = lockEntry(ctx, found);
  const isFreeOrLeaf = isLeaf(at.entry) || !inStates(SEPT_ACCEPTS.TDH_MEM_SEPT_REMOVE, septState(at.entry));
  ensure(isFreeOrLeaf, TDX_PAGE_SIZE_MISMATCH | BigInt(at.level));
  if (!inStates(SEPT_ACCEPTS.TDG_MEM_PAGE_ATTR_WR, septState(at.entry))) throw detailedViolation(ctx, 'ATTR_WR', target, at);
  yield 'lock';
  ctx.rcx = pageOutput(at, target.gpa);
  return TDX_SUCCESS;
};
