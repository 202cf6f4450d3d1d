import type { Software } from '../../platform/index.ts';
import { TDR } from '../../spec/layouts.ts';
import { LIFECYCLE } from '../../spec/states.ts';
import { TDX_KEY_CONFIGURED, TDX_LIFECYCLE_STATE_INCORRECT, TDX_SUCCESS, TDX_TD_FATAL } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { BUSY, ensure } from '../status.ts';
import { packageBit, programRandomKey } from '../sys/program-key.ts';
import { lockTdr } from '../td/checks.ts';

/** TDH.MNG.KEY.CONFIG: a random key for the TD's KeyID on this LP's package. */
export function* mngKeyConfig(ctx: LeafContext): Software<bigint> {
  const { module, lp } = ctx;
  const tdr = lockTdr(ctx, 'RCX', ctx.rcx, 'exclusive');
  yield 'lock';
  ensure(tdr.get(TDR.FATAL) === 0, TDX_TD_FATAL);
  ensure(tdr.lifecycle === LIFECYCLE.HKID_ASSIGNED, TDX_LIFECYCLE_STATE_INCORRECT);
  const configured = tdr.get(TDR.PKG_CONFIG_BITMAP);
  ensure((configured & packageBit(ctx)) === 0n, TDX_KEY_CONFIGURED);
  ctx.locks.acquire(module.keyTables[lp.package]!, 'exclusive', BUSY.KET);
  // PCONFIG takes microseconds: another LP of the package can find the key table taken.
  yield 'lock';
  programRandomKey(ctx, tdr.hkid);
  const now = configured | packageBit(ctx);
  tdr.set(TDR.PKG_CONFIG_BITMAP, now);
  if (now === module.packageBitmap) tdr.lifecycle = LIFECYCLE.KEYS_CONFIGURED;
  return TDX_SUCCESS;
}
