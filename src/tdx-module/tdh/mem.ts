import type { LeafTable } from '../context.ts';

/** TDH.MEM.* */
export const memLeaves: LeafTable = {};
