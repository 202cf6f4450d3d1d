import { SEPT_ACCEPTS } from '../../spec/sept.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { openSept, type SeptPlan, setEntryOutputs } from '../sept/access.ts';
import { ensure, INVALID } from '../status.ts';
import { isDebugTd } from '../td/metadata.ts';

const PLAN: SeptPlan = { lowest: 0, highest: 'root', tdr: 'shared', tree: 'shared', accepts: SEPT_ACCEPTS.TDH_MEM_SEPT_RD };
const L2_ATTRIBUTES = 1n;

/** TDH.MEM.SEPT.RD: one entry, as the host may see it. */
export const memSeptRd: Leaf = function* (ctx) {
  const wantsL2 = (ctx.rdx & L2_ATTRIBUTES) !== 0n;
  const access = openSept(ctx, PLAN, ctx.rdx & ~L2_ATTRIBUTES);
  ensure(!wantsL2 || isDebugTd(access.tdcs), INVALID.RDX);
  yield 'lock';
  setEntryOutputs(ctx, access.at);
  ctx.r8 = 0n;
  return TDX_SUCCESS;
};
