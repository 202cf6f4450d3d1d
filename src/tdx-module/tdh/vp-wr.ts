import { TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { writeElement } from '../metadata/access.ts';
import { ensurePostedInterruptsReady, findVpField, isLegalVpValue } from '../metadata/vp-fields.ts';
import { openVpMetadata } from '../metadata/vp-open.ts';

/** TDH.VP.WR: the bits of one field that the mask in R9 asks for; R8 returns what was there. */
export const vpWr: Leaf = function* (ctx) {
  const { rdx: id, r8: data, r9: requestMask } = ctx;
  ctx.r8 = 0n;
  const { tdvps, isDebug } = openVpMetadata(ctx, 'write');
  yield 'lock';
  const element = findVpField(id);
  ensurePostedInterruptsReady(tdvps, element.field, data & requestMask);
  const { dbgWrite, prodWrite } = element.field.masks;
  ctx.r8 = writeElement(tdvps, element, isDebug ? dbgWrite : prodWrite, requestMask, data, (field, value) =>
    isLegalVpValue(ctx.module, field, value),
  );
  return TDX_SUCCESS;
};
