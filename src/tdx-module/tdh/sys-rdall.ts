import type { Software } from '../../platform/index.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { elementId, findField, firstFieldId, type HasField, NO_FIELD, nextFieldId } from '../metadata/field-id.ts';
import { PAGE_4K, sharedAddress } from '../operands.ts';
import { hasSysField, sysFieldValue } from '../sys/fields.ts';
import { ensureLpInit } from '../sys/lp-state.ts';

const HEADER_BYTES = 8;
const SEQUENCE_BYTES = 16;

/**
 * TDH.SYS.RDALL: fields from R8 on, as many as fit one page. Assumed list format: a header (bytes used u16, sequences u16),
 * then field id and value, 8 bytes each.
 */
export function* sysRdall(ctx: LeafContext): Software<bigint> {
  const { module, lp } = ctx;
  const hasField: HasField = (field) => hasSysField(module, field.name);
  ensureLpInit(ctx);
  const { pa, keyId } = sharedAddress(ctx, 'RDX', ctx.rdx, PAGE_4K);
  let id = ctx.r8 === NO_FIELD ? firstFieldId('SYS', 'prodRead', hasField) : elementId(findField('SYS', ctx.r8, hasField));
  const page = new Uint8Array(PAGE_4K);
  const view = new DataView(page.buffer);
  let used = HEADER_BYTES;
  for (; id !== NO_FIELD && used + SEQUENCE_BYTES <= PAGE_4K; used += SEQUENCE_BYTES) {
    const element = findField('SYS', id, hasField);
    view.setBigUint64(used, id, true);
    view.setBigUint64(used + 8, sysFieldValue(module, element.field.name, element.index), true);
    id = nextFieldId('SYS', element, 'prodRead', hasField);
  }
  view.setUint16(0, used, true);
  view.setUint16(2, (used - HEADER_BYTES) / SEQUENCE_BYTES, true);
  lp.storeBytes(pa, page, keyId);
  ctx.r8 = id;
  return TDX_SUCCESS;
}
