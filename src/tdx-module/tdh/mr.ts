import type { LeafTable } from '../context.ts';
import { mrExtend } from './mr-extend.ts';
import { mrFinalize } from './mr-finalize.ts';

/** TDH.MR.* */
export const mrLeaves: LeafTable = { MR_EXTEND: mrExtend, MR_FINALIZE: mrFinalize };
