import { SEPT_ACCEPTS } from '../../spec/sept.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { openDebugWord } from '../sept/debug.ts';

/** TDH.MEM.WR: writes 8 bytes of a debug TD; R8 returns what was there. */
export const memWr: Leaf = function* (ctx) {
  const data = ctx.r8;
  ctx.r8 = 0n;
  const word = openDebugWord(ctx, SEPT_ACCEPTS.TDH_MEM_WR);
  yield 'lock';
  ctx.r8 = ctx.lp.load64(word.pa, word.keyId);
  ctx.lp.store64(word.pa, data, word.keyId);
  return TDX_SUCCESS;
};
