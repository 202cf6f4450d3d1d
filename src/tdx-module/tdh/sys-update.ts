import type { Software } from '../../platform/index.ts';
import { SYS_STATE } from '../../spec/states.ts';
import { TDX_SYS_BUSY, TDX_SYS_INVALID_HANDOFF, TDX_SYS_STATE_INCORRECT } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure } from '../status.ts';

/** TDH.SYS.UPDATE: takes over what a module before this one handed off. There never is one here, so the handoff data is never valid. */
export function* sysUpdate(ctx: LeafContext): Software<bigint> {
  const { module } = ctx;
  ctx.locks.acquire(module.globalLock, 'exclusive', TDX_SYS_BUSY);
  yield 'lock';
  ensure(module.state === SYS_STATE.SYSINIT_DONE && module.lpInitDone.size >= module.sysInfo.totalLps, TDX_SYS_STATE_INCORRECT);
  return TDX_SYS_INVALID_HANDOFF;
}
