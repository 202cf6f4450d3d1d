import type { Software } from '../../platform/index.ts';
import { KOT_STATE, LIFECYCLE } from '../../spec/states.ts';
import { TDX_LIFECYCLE_STATE_INCORRECT, TDX_SUCCESS, TDX_WBCACHE_NOT_COMPLETE } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { BUSY, ensure } from '../status.ts';
import { lockTdr } from '../td/checks.ts';

/** TDH.MNG.KEY.FREEID: every package has written the KeyID back; it may be given to another TD. */
export function* mngKeyFreeid(ctx: LeafContext): Software<bigint> {
  const { module } = ctx;
  const tdr = lockTdr(ctx, 'RCX', ctx.rcx, 'exclusive');
  ensure(tdr.lifecycle === LIFECYCLE.BLOCKED, TDX_LIFECYCLE_STATE_INCORRECT);
  ctx.locks.acquire(module.kot.lock, 'exclusive', BUSY.KOT);
  yield 'lock';
  const owner = module.kot.at(tdr.hkid);
  ensure(owner.wbinvdBitmap === 0n, TDX_WBCACHE_NOT_COMPLETE);
  owner.state = KOT_STATE.FREE;
  tdr.lifecycle = LIFECYCLE.TEARDOWN;
  return TDX_SUCCESS;
}
