import type { Software } from '../../platform/index.ts';
import { LIMIT } from '../../spec/layouts.ts';
import { SYS_STATE } from '../../spec/states.ts';
import {
  TDX_INVALID_PKG_ID,
  TDX_SUCCESS,
  TDX_SYS_BUSY,
  TDX_SYS_LP_INIT_DONE,
  TDX_SYS_LP_INIT_NOT_PENDING,
} from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure } from '../status.ts';
import { compareCpuid } from '../sys/cpuid-checks.ts';
import { compareMsrs } from '../sys/msr-checks.ts';
import { checkSeamCapabilities } from '../sys/range-checks.ts';

/** TDH.SYS.LP.INIT: every LP looks like the one of TDH.SYS.INIT. Many LPs may be here at once. */
export function* sysLpInit(ctx: LeafContext): Software<bigint> {
  const { module, lp } = ctx;
  for (const output of ['rcx', 'rdx', 'r8'] as const) ctx[output] = 0n;
  ctx.locks.acquire(module.globalLock, 'shared', TDX_SYS_BUSY);
  yield 'lock';
  ensure(module.state === SYS_STATE.SYSINIT_DONE, TDX_SYS_LP_INIT_NOT_PENDING);
  ensure(!module.lpInitDone.has(lp.id), TDX_SYS_LP_INIT_DONE);
  ctx.random(8);
  lp.platform.core.invept(lp.id);

  checkSeamCapabilities(ctx);
  compareMsrs(ctx, 'features');
  compareCpuid(ctx);
  compareMsrs(ctx, 'smrr');
  compareMsrs(ctx, 'vmx');
  compareMsrs(ctx, 'perf');
  compareMsrs(ctx, 'encryption');
  // The place of this check is unconfirmed.
  ensure(lp.package < LIMIT.MAX_PKGS, TDX_INVALID_PKG_ID | BigInt(lp.package));

  module.lpInitDone.add(lp.id);
  return TDX_SUCCESS;
}
