import type { Software } from '../../platform/index.ts';
import { SYS_STATE } from '../../spec/states.ts';
import { TDX_SUCCESS, TDX_SYS_BUSY } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure, fail, INVALID } from '../status.ts';
import { HANDOFF } from '../sys/fields.ts';

const isHandoffVersion = (version: bigint): boolean =>
  version >= BigInt(HANDOFF.MIN_UPDATE_HV) &&
  version <= BigInt(HANDOFF.MODULE_HV) &&
  (HANDOFF.NO_DOWNGRADE === 0 || version === BigInt(HANDOFF.MODULE_HV));

/** TDH.SYS.SHUTDOWN: stops the module, if no other LP is inside. Handoff data is not written: no later module could read it here. */
export function* sysShutdown(ctx: LeafContext): Software<bigint> {
  const { module } = ctx;
  ensure(isHandoffVersion(ctx.rcx), INVALID.RCX);
  ctx.locks.acquire(module.globalLock, 'exclusive', TDX_SYS_BUSY);
  yield 'lock';
  module.state = SYS_STATE.SHUTDOWN;
  if (module.lpsInside > 1) {
    module.state = SYS_STATE.READY;
    fail(TDX_SYS_BUSY);
  }
  return TDX_SUCCESS;
}
