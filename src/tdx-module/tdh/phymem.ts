import type { LeafTable } from '../context.ts';

/** TDH.PHYMEM.* */
export const phymemLeaves: LeafTable = {};
