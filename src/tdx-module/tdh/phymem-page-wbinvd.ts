import type { Software } from '../../platform/index.ts';
import { LIMIT } from '../../spec/layouts.ts';
import { PT } from '../../spec/states.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { PAGE_4K, splitAddress } from '../operands.ts';
import { lockPage } from '../pamt/walk.ts';
import { ensure, INVALID } from '../status.ts';

/** TDH.PHYMEM.PAGE.WBINVD: flushes a free page's lines under the KeyID that the address carries, and under no other. */
export function* phymemPageWbinvd(ctx: LeafContext): Software<bigint> {
  const { lp, rcx } = ctx;
  ensure(rcx >> BigInt(LIMIT.HPA_BITS) === 0n, INVALID.RCX);
  const { pa, keyId } = splitAddress(ctx, rcx);
  lockPage(ctx, 'RCX', BigInt(pa), 'shared', PT.NDA);
  yield 'lock';
  // A KeyID that the platform does not activate has no lines.
  if (keyId <= ctx.module.keyIds.lastPrivate) lp.clflush(pa, PAGE_4K, keyId);
  return TDX_SUCCESS;
}
