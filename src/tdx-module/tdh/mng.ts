import type { LeafTable } from '../context.ts';

/** TDH.MNG.* */
export const mngLeaves: LeafTable = {};
