import { SEPT_ACCEPTS } from '../../spec/sept.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { openDebugWord } from '../sept/debug.ts';

/** TDH.MEM.RD: 8 bytes of a debug TD. */
export const memRd: Leaf = function* (ctx) {
  ctx.r8 = 0n;
  const word = openDebugWord(ctx, SEPT_ACCEPTS.TDH_MEM_RD);
  yield 'lock';
  ctx.r8 = ctx.lp.load64(word.pa, word.keyId);
  return TDX_SUCCESS;
};
