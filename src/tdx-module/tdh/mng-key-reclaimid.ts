import type { Software } from '../../platform/index.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';

/** TDH.MNG.KEY.RECLAIMID: kept for compatibility; does nothing. */
export function* mngKeyReclaimid(): Software<bigint> {
  return TDX_SUCCESS;
}
