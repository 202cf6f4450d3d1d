import { TDX_SYS_LP_INIT_NOT_DONE } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure } from '../status.ts';

/** SYS.INFO, SYS.RD and SYS.RDALL need nothing of the platform but TDH.SYS.LP.INIT on this LP. */
export const ensureLpInit = ({ module, lp }: LeafContext): void => ensure(module.lpInitDone.has(lp.id), TDX_SYS_LP_INIT_NOT_DONE);
