import type { Software } from '../../platform/index.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { writeElement } from '../metadata/access.ts';
import { findField } from '../metadata/field-id.ts';
import { lockTdr, openTd } from '../td/checks.ts';
import { hostReadMask, isDebugTd, isLegalTdValue, tdStructOf } from '../td/metadata.ts';

/** TDH.MNG.WR: writes R8 under mask R9 to one field of TDR or TDCS; R8 returns the old value. */
export function* mngWr(ctx: LeafContext): Software<bigint> {
  const data = ctx.r8;
  ctx.r8 = 0n;
  const tdr = lockTdr(ctx, 'RCX', ctx.rcx, 'shared');
  const tdcs = openTd(ctx, tdr, 'shared');
  yield 'lock';
  const element = findField('TD', ctx.rdx);
  const { masks } = element.field;
  const writeMask = isDebugTd(tdcs) ? masks.dbgWrite : masks.prodWrite;
  const old = writeElement(tdStructOf(tdcs, element.field), element, writeMask, ctx.r9, data, isLegalTdValue);
  ctx.r8 = old & masks[hostReadMask(tdcs)];
  return TDX_SUCCESS;
}
