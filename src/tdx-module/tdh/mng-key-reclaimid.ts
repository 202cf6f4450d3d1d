import type { Software } from '../../platform/index.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';

/** TDH.MNG.KEY.RECLAIMID: kept for compatibility; does nothing. */
// biome-ignore lint/correctness/useYield: a leaf is a generator
export function* mngKeyReclaimid(): Software<bigint> {
  return TDX_SUCCESS;
}
