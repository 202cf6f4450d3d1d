import { TDCS, TDVPS } from '../../spec/layouts.ts';
import { LIFECYCLE } from '../../spec/states.ts';
import { TDX_SUCCESS, TDX_TD_KEYS_NOT_CONFIGURED, TDX_VCPU_NOT_ASSOCIATED } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { ensure } from '../status.ts';
import { lockVcpu } from '../td/checks.ts';
import { Tdcs } from '../td/tdcs.ts';
import { ensurePages, NO_LP } from '../td/vcpu.ts';

/** TDH.VP.FLUSH: the LP forgets the VCPU. Works on a fatal TD too, so that it can be torn down. */
export const vpFlush: Leaf = function* (ctx) {
  const { tdr, tdvps } = lockVcpu(ctx, 'RCX', ctx.rcx, 'exclusive');
  ensure(tdr.lifecycle === LIFECYCLE.KEYS_CONFIGURED, TDX_TD_KEYS_NOT_CONFIGURED);
  const tdcs = new Tdcs(tdr);
  ensurePages(tdcs, tdvps);
  ensure(tdvps.get(TDVPS.ASSOC_LPID) === ctx.lp.id, TDX_VCPU_NOT_ASSOCIATED);
  yield 'lock';
  ctx.module.platform.core.invept(ctx.lp.id);
  tdvps.set(TDVPS.ASSOC_LPID, NO_LP);
  tdcs.add(TDCS.NUM_ASSOC_VCPUS, -1);
  return TDX_SUCCESS;
};
