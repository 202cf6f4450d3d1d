import { CONFIG_FLAGS, TDCS } from '../../spec/layouts.ts';
import type { MetadataContext, MetadataField } from '../../spec/metadata.ts';
import { TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT, TDX_SUCCESS } from '../../spec/status.ts';
import { readElement, writeElement } from '../metadata/access.ts';
import {
  ensureReadable,
  findField,
  firstFieldId,
  type HasField,
  type MetadataElement,
  NO_FIELD,
  nextFieldId,
} from '../metadata/field-id.ts';
import type { MemoryStruct } from '../td/memory-struct.ts';
import { tdStructOf } from '../td/metadata.ts';
import type { GuestContext } from './context.ts';

/** Reads one field for the guest: R8 := value; RDX := the next id where the leaf returns it. */
export function readField(
  ctx: GuestContext,
  context: MetadataContext,
  returnsNext: boolean,
  read: (element: MetadataElement) => bigint,
  hasField: HasField = () => true,
): bigint {
  const id = ctx.rdx;
  ctx.r8 = 0n;
  if (returnsNext) ctx.rdx = NO_FIELD;
  if (returnsNext && id === NO_FIELD) {
    ctx.rdx = firstFieldId(context, 'guestRead', hasField);
    return TDX_METADATA_FIRST_FIELD_ID_IN_CONTEXT;
  }
  const element = findField(context, id, hasField);
  ensureReadable(element, 'guestRead');
  ctx.r8 = read(element) & element.field.masks.guestRead;
  if (returnsNext) ctx.rdx = nextFieldId(context, element, 'guestRead', hasField);
  return TDX_SUCCESS;
}

/** Writes the bits of one field that R9 asks for; R8 := what was there. */
export function writeField(ctx: GuestContext, context: 'TD' | 'VP', structOf: (field: MetadataField) => MemoryStruct): bigint {
  const { rdx: id, r8: data, r9: requestMask } = ctx;
  ctx.r8 = 0n;
  const element = findField(context, id);
  const { field } = element;
  ctx.r8 = writeElement(structOf(field), element, field.masks.guestWrite, requestMask, data, () => isLegal(ctx, field));
  return TDX_SUCCESS;
}

/** TD_CTLS belongs to the host unless CONFIG_FLAGS leaves the choice of #VE to the guest. */
const isLegal = ({ tdcs }: GuestContext, field: MetadataField): boolean =>
  field.name !== 'TD_CTLS' || (tdcs.get(TDCS.CONFIG_FLAGS) & CONFIG_FLAGS.FLEXIBLE_PENDING_VE) !== 0n;

export const readTdField = (ctx: GuestContext, element: MetadataElement): bigint =>
  readElement(tdStructOf(ctx.tdcs, element.field), element);
