import { inStates, SEPT_ACCEPTS, septState } from '../../spec/sept.ts';
import { OPERAND, TDX_EPT_ENTRY_NOT_PRESENT, TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { extendMrtd } from '../measurement/mrtd.ts';
import { EXTEND_CHUNK, extendBlock } from '../measurement/mrtd-blocks.ts';
import { failWithEntry, isPrivateGpa } from '../sept/access.ts';
import { hpaWithin, walkDown } from '../sept/debug.ts';
import { isLeaf } from '../sept/entry.ts';
import { ensure, INVALID } from '../status.ts';
import { lockTdr, openTd } from '../td/checks.ts';

/** TDH.MR.EXTEND: measures 256 bytes of a page that is already in the TD. */
export const mrExtend: Leaf = function* (ctx) {
  const operand = ctx.rcx;
  const tdrOperand = ctx.rdx;
  ctx.rcx = 0n;
  ctx.rdx = 0n;
  const tdr = lockTdr(ctx, 'RDX', tdrOperand, 'exclusive');
  const tdcs = openTd(ctx, tdr, 'none');
  ensure(operand % BigInt(EXTEND_CHUNK) === 0n, INVALID.RCX);
  const gpa = Number(operand);
  ensure(isPrivateGpa(tdcs, gpa), INVALID.RCX);
  const at = walkDown(ctx, tdcs, gpa);
  if (!isLeaf(at.entry)) failWithEntry(ctx, TDX_EPT_ENTRY_NOT_PRESENT | OPERAND.RCX, at);
  ensure(inStates(SEPT_ACCEPTS.TDH_MR_EXTEND, septState(at.entry)), TDX_EPT_ENTRY_NOT_PRESENT);
  yield 'lock';
  extendMrtd(tdcs, extendBlock(gpa), ctx.lp.loadBytes(hpaWithin(at, gpa), EXTEND_CHUNK, tdr.hkid));
  return TDX_SUCCESS;
};
