import type { Software } from '../../platform/index.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';

/** TDH.SYS.LP.SHUTDOWN: kept for compatibility; does nothing, in every state. */
export function* sysLpShutdown(): Software<bigint> {
  return TDX_SUCCESS;
}
