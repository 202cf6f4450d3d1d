import { TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT, TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { ensureReadable, firstFieldId, NO_FIELD, nextFieldId } from '../metadata/field-id.ts';
import { findVpField, readVpField } from '../metadata/vp-fields.ts';
import { openVpMetadata } from '../metadata/vp-open.ts';

/** TDH.VP.RD: one field of a VCPU. Version 1 also returns the next id, or the first one for an id of all ones. */
export const vpRd: Leaf = function* (ctx) {
  const id = ctx.rdx;
  ctx.r8 = 0n;
  if (ctx.version > 0) ctx.rdx = NO_FIELD;
  const { tdvps, isDebug } = openVpMetadata(ctx, 'read');
  const mask = isDebug ? 'dbgRead' : 'prodRead';
  yield 'lock';
  if (ctx.version > 0 && id === NO_FIELD) {
    ctx.rdx = firstFieldId('VP', mask);
    return TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT;
  }
  const element = findVpField(id);
  ensureReadable(element, mask);
  ctx.r8 = readVpField(tdvps, element) & element.field.masks[mask];
  if (ctx.version > 0) ctx.rdx = nextFieldId('VP', element, mask);
  return TDX_SUCCESS;
};
