import type { Software } from '../../platform/index.ts';
import { TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT, TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { readElement } from '../metadata/access.ts';
import { ensureReadable, findField, firstFieldId, NO_FIELD, nextFieldId } from '../metadata/field-id.ts';
import { lockTdr, openTd } from '../td/checks.ts';
import { ensureValid, hostReadMask, tdStructOf } from '../td/metadata.ts';

/** TDH.MNG.RD: one field of TDR or TDCS. Version 1 walks: RDX is the next id. */
export function* mngRd(ctx: LeafContext): Software<bigint> {
  const id = ctx.rdx;
  const walks = ctx.version > 0;
  if (walks) ctx.rdx = NO_FIELD;
  ctx.r8 = 0n;
  const tdr = lockTdr(ctx, 'RCX', ctx.rcx, 'shared');
  const tdcs = openTd(ctx, tdr, 'shared');
  yield 'lock';
  const mask = hostReadMask(tdcs);
  if (walks && id === NO_FIELD) {
    ctx.rdx = firstFieldId('TD', mask);
    return TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT;
  }
  const element = findField('TD', id);
  ensureReadable(element, mask);
  ensureValid(tdcs, element);
  ctx.r8 = readElement(tdStructOf(tdcs, element.field), element) & element.field.masks[mask];
  if (walks) ctx.rdx = nextFieldId('TD', element, mask);
  return TDX_SUCCESS;
}
