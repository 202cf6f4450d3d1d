import type { Software } from '../../platform/index.ts';
import { LIMIT, TDCS, TDR } from '../../spec/layouts.ts';
import { OP_STATE } from '../../spec/op-state.ts';
import { KOT_STATE, LIFECYCLE } from '../../spec/states.ts';
import { TDX_FLUSHVP_NOT_DONE, TDX_LIFECYCLE_STATE_INCORRECT, TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { BUSY, ensure } from '../status.ts';
import { lockTdr } from '../td/checks.ts';
import { Tdcs } from '../td/tdcs.ts';
import type { Tdr } from '../td/tdr.ts';

/** TDH.MNG.VPFLUSHDONE: no VCPU is on any LP; the TD's KeyID goes out of use. Not refused for a fatal TD: it must be torn down. */
export function* mngVpflushdone(ctx: LeafContext): Software<bigint> {
  const { module } = ctx;
  const tdr = lockTdr(ctx, 'RCX', ctx.rcx, 'exclusive');
  ctx.locks.acquire(module.kot.lock, 'exclusive', BUSY.KOT);
  yield 'lock';
  const { lifecycle } = tdr;
  ensure(lifecycle === LIFECYCLE.KEYS_CONFIGURED || lifecycle === LIFECYCLE.HKID_ASSIGNED, TDX_LIFECYCLE_STATE_INCORRECT);
  ensure(!hasAssociatedVcpus(tdr), TDX_FLUSHVP_NOT_DONE);

  const owner = module.kot.at(tdr.hkid);
  owner.wbinvdBitmap = module.packageBitmap;
  owner.state = KOT_STATE.FLUSHED;
  tdr.lifecycle = LIFECYCLE.BLOCKED;
  return TDX_SUCCESS;
}

const hasAssociatedVcpus = (tdr: Tdr): boolean => {
  if (tdr.get(TDR.NUM_TDCX) < LIMIT.MIN_NUM_TDCX) return false;
  const tdcs = new Tdcs(tdr);
  return tdcs.opState !== OP_STATE.UNINITIALIZED && tdcs.get(TDCS.NUM_ASSOC_VCPUS) !== 0;
};
