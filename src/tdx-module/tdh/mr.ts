import type { LeafTable } from '../context.ts';

/** TDH.MR.* */
export const mrLeaves: LeafTable = {};
