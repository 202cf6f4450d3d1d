import {
  fieldLastElement,
  fieldLastField,
  findMetadata,
  type MetadataContext,
  type MetadataField,
  type MetadataMasks,
  metadataFields,
} from '../../spec/metadata.ts';
import { TDX_METADATA_FIELD_ID_INCORRECT, TDX_METADATA_FIELD_NOT_READABLE } from '../../spec/status.ts';
import { ensure } from '../status.ts';
import { cpuidValueId, findCpuidValue, isCpuidClass, isCpuidValues, nextCpuidIndex } from './cpuid-values.ts';

/** Bits 31:24, 49:47, 55 and 62 (layouts.md §18). */
const RESERVED = (0xffn << 24n) | (0x7n << 47n) | (1n << 55n) | (1n << 62n);
/** "No field": asks for the first id, and answers that there is no next. */
export const NO_FIELD = (1n << 64n) - 1n;

/** One element of a metadata field. */
export interface MetadataElement {
  readonly field: MetadataField;
  readonly index: number;
}

/** The read mask that applies to a caller. */
export type ReadMask = keyof Pick<MetadataMasks, 'prodRead' | 'dbgRead' | 'guestRead'>;
/** Does the module have this field? Profiles differ. */
export type HasField = (field: MetadataField) => boolean;

const always: HasField = () => true;

/** The form of a single-field id, then the field it selects by class and code; else TDX_METADATA_FIELD_ID_INCORRECT. */
export const findField = (context: MetadataContext, id: bigint, hasField: HasField = always): MetadataElement => {
  const isSingle = (id & RESERVED) === 0n && fieldLastElement(id) === 0 && fieldLastField(id) === 0;
  ensure(isSingle, TDX_METADATA_FIELD_ID_INCORRECT);
  const found = isCpuidClass(context, id) ? findCpuidValue(id) : findMetadata(context, id);
  ensure(found !== undefined && hasField(found.field), TDX_METADATA_FIELD_ID_INCORRECT);
  return found;
};

/** The mask is not empty; else TDX_METADATA_FIELD_NOT_READABLE. */
export const ensureReadable = ({ field }: MetadataElement, mask: ReadMask): void =>
  ensure(field.masks[mask] !== 0n, TDX_METADATA_FIELD_NOT_READABLE);

/** Id of an element. */
export const elementId = ({ field, index }: MetadataElement): bigint =>
  isCpuidValues(field) ? cpuidValueId(index) : field.id + BigInt(index);

const nextIndex = ({ field, index }: MetadataElement): number | undefined => {
  if (isCpuidValues(field)) return nextCpuidIndex(index);
  return index + 1 < field.fields * field.elements ? index + 1 : undefined;
};
const idOf = (field: MetadataField | undefined): bigint => (field ? elementId({ field, index: 0 }) : NO_FIELD);

/** First id of the context that the caller can read. */
export const firstFieldId = (context: MetadataContext, mask: ReadMask, hasField: HasField = always): bigint =>
  idOf(metadataFields(context).find((field) => field.masks[mask] !== 0n && hasField(field)));

/** Id of the element after this one that the caller can read; all ones after the last. */
export const nextFieldId = (
  context: MetadataContext,
  element: MetadataElement,
  mask: ReadMask,
  hasField: HasField = always,
): bigint => {
  const { field } = element;
  const index = nextIndex(element);
  if (index !== undefined) return elementId({ field, index });
  const fields = metadataFields(context);
  const following = fields.slice(fields.indexOf(field) + 1);
  return idOf(following.find((next) => next.masks[mask] !== 0n && hasField(next)));
};
