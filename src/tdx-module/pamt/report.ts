import type { LeafContext } from '../context.ts';
import type { PamtEntry } from './entry.ts';

/** What RDMD and RECLAIM tell of a page: RCX type, RDX owner, R8 size, R9 to R11 zero. */
export const reportPage = (ctx: LeafContext, entry: PamtEntry): void => {
  ctx.rcx = BigInt(entry.type);
  ctx.rdx = BigInt(entry.owner);
  ctx.r8 = BigInt(entry.level);
};

/** The outputs before anything is known. */
export const clearPageReport = (ctx: LeafContext): void => {
  for (const output of ['rcx', 'rdx', 'r8', 'r9', 'r10', 'r11'] as const) ctx[output] = 0n;
};
