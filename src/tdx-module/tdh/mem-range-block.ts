import { TDCS } from '../../spec/layouts.ts';
import { inStates, SEPT_ACCEPTS, SEPT_BLOCKED, SEPT_FLAG } from '../../spec/sept.ts';
import { OPERAND, TDX_GPA_RANGE_ALREADY_BLOCKED, TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { failWithEntry, openSept, type SeptPlan } from '../sept/access.ts';
import { inState } from '../sept/entry.ts';
import { mappedPage } from '../sept/pages.ts';
import { writeEntry } from '../sept/walk.ts';

const PLAN: SeptPlan = {
  lowest: 0,
  highest: 'root',
  tdr: 'shared',
  tree: 'exclusive',
  accepts: SEPT_ACCEPTS.TDH_MEM_RANGE_BLOCK | SEPT_FLAG.any_blocked,
};

/** TDH.MEM.RANGE.BLOCK: no new translations through this entry; TLBs may still hold old ones until the host has tracked them out. */
export const memRangeBlock: Leaf = function* (ctx) {
  const access = openSept(ctx, PLAN);
  const { tdcs, at, state } = access;
  if (inStates(SEPT_FLAG.any_blocked, state)) failWithEntry(ctx, TDX_GPA_RANGE_ALREADY_BLOCKED | OPERAND.RCX, at);
  yield 'lock';
  mappedPage(ctx, access).bepoch = tdcs.get(TDCS.TD_EPOCH);
  writeEntry(ctx.lp, at, inState(at.entry, SEPT_BLOCKED.get(state)!));
  return TDX_SUCCESS;
};
