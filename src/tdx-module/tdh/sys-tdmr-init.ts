import { endOf, type Software } from '../../platform/index.ts';
import { LIMIT } from '../../spec/layouts.ts';
import { TDX_SUCCESS, TDX_TDMR_ALREADY_INITIALIZED } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { pageAddress } from '../operands.ts';
import { initializePamt } from '../pamt/initialize.ts';
import { BUSY, ensure, INVALID } from '../status.ts';

/** TDH.SYS.TDMR.INIT: the next 4 MiB worth of a TDMR's PAMT. RDX is the progress rounded down to 1 GiB: it steps every 256 calls. */
export function* sysTdmrInit(ctx: LeafContext): Software<bigint> {
  const { module, lp } = ctx;
  ctx.rdx = 0n;
  const base = pageAddress(ctx, 'RCX', ctx.rcx, LIMIT.TDMR_ALIGNMENT);
  const tdmr = module.tdmrs.find((entry) => entry.base === base);
  ensure(tdmr !== undefined, INVALID.RCX);
  ctx.locks.acquire(tdmr.lock, 'exclusive', BUSY.RCX);
  yield 'lock';
  ensure(tdmr.initialized < endOf(tdmr), TDX_TDMR_ALREADY_INITIALIZED);
  initializePamt(lp, module.globalKeyId, tdmr);
  ctx.rdx = BigInt(tdmr.initialized - (tdmr.initialized % LIMIT.TDMR_ALIGNMENT));
  return TDX_SUCCESS;
}
