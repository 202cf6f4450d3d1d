import { TDCS } from '../../spec/layouts.ts';
import { TDX_PREVIOUS_TLB_EPOCH_BUSY, TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { refcount } from '../sept/tracking.ts';
import { BUSY, ensure } from '../status.ts';
import { lockTdr, openTd } from '../td/checks.ts';

/** TDH.MEM.TRACK: the next TLB epoch begins, once no VCPU is left in the one before this. */
export const memTrack: Leaf = function* (ctx) {
  const tdr = lockTdr(ctx, 'RCX', ctx.rcx, 'shared');
  const tdcs = openTd(ctx, tdr, 'shared');
  ctx.locks.acquire(tdcs.epochLock, 'exclusive', BUSY.TD_EPOCH);
  yield 'lock';
  const epoch = tdcs.get(TDCS.TD_EPOCH);
  ensure(refcount(tdcs, 1n - (epoch & 1n)) === 0, TDX_PREVIOUS_TLB_EPOCH_BUSY);
  tdcs.set(TDCS.TD_EPOCH, epoch + 1n);
  return TDX_SUCCESS;
};
