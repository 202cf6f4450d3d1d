import type { LeafTable } from '../context.ts';

/** TDH.SYS.* */
export const sysLeaves: LeafTable = {};
