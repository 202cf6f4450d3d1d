import { SEPT_ACCEPTS, SEPT_UNBLOCKED } from '../../spec/sept.ts';
import { OPERAND, TDX_SUCCESS, TDX_TLB_TRACKING_NOT_DONE } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { openSept, type SeptPlan } from '../sept/access.ts';
import { inState } from '../sept/entry.ts';
import { mappedPage } from '../sept/pages.ts';
import { isTracked, needsTracking } from '../sept/tracking.ts';
import { writeEntry } from '../sept/walk.ts';
import { ensure } from '../status.ts';

const PLAN: SeptPlan = {
  lowest: 0,
  highest: 'root',
  tdr: 'shared',
  tree: 'exclusive',
  accepts: SEPT_ACCEPTS.TDH_MEM_RANGE_UNBLOCK,
};

/** TDH.MEM.RANGE.UNBLOCK: translations through a blocked and tracked entry may be made again. */
export const memRangeUnblock: Leaf = function* (ctx) {
  const access = openSept(ctx, PLAN);
  const tracked = !needsTracking(access.tdcs) || isTracked(access.tdcs, mappedPage(ctx, access).bepoch);
  ensure(tracked, TDX_TLB_TRACKING_NOT_DONE | OPERAND.SEPT_TREE);
  yield 'lock';
  writeEntry(ctx.lp, access.at, inState(access.at.entry, SEPT_UNBLOCKED.get(access.state)!));
  return TDX_SUCCESS;
};
