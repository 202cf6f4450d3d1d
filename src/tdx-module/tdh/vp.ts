import type { LeafTable } from '../context.ts';

/** TDH.VP.* */
export const vpLeaves: LeafTable = {};
