import { TDCS } from '../../spec/layouts.ts';
import { OP_STATE } from '../../spec/op-state.ts';
import { TDX_NO_VCPUS, TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { finalizeMrtd } from '../measurement/mrtd.ts';
import { ensure } from '../status.ts';
import { lockTdr, openTd } from '../td/checks.ts';

/** TDH.MR.FINALIZE: MRTD gets its value and the TD may run. */
export const mrFinalize: Leaf = function* (ctx) {
  const tdr = lockTdr(ctx, 'RCX', ctx.rcx, 'exclusive');
  const tdcs = openTd(ctx, tdr, 'none');
  ensure(tdcs.get(TDCS.NUM_VCPUS) > 0, TDX_NO_VCPUS);
  yield 'lock';
  finalizeMrtd(tdcs);
  // Zero without bound service TDs (lifecycle.md §9); service TDs are not in this build.
  tdcs.set(TDCS.SERVTD_HASH, new Uint8Array(TDCS.SERVTD_HASH.size));
  tdcs.opState = OP_STATE.RUNNABLE;
  return TDX_SUCCESS;
};
