import type { Software } from '../../platform/index.ts';
import { TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT, TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensureReadable, findField, firstFieldId, type HasField, NO_FIELD, nextFieldId } from '../metadata/field-id.ts';
import { hasSysField, sysFieldValue } from '../sys/fields.ts';
import { ensureLpInit } from '../sys/lp-state.ts';

/** TDH.SYS.RD: one field of the module's own metadata. */
export function* sysRd(ctx: LeafContext): Software<bigint> {
  const { module, rdx: id } = ctx;
  const hasField: HasField = (field) => hasSysField(module, field.name);
  ctx.rdx = NO_FIELD;
  ctx.r8 = 0n;
  ensureLpInit(ctx);
  if (id === NO_FIELD) {
    ctx.rdx = firstFieldId('SYS', 'prodRead', hasField);
    return TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT;
  }
  const element = findField('SYS', id, hasField);
  ensureReadable(element, 'prodRead');
  ctx.r8 = sysFieldValue(module, element.field.name, element.index);
  ctx.rdx = nextFieldId('SYS', element, 'prodRead', hasField);
  return TDX_SUCCESS;
}
