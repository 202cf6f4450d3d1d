import type { MetadataField } from '../../spec/metadata.ts';
import { TDX_METADATA_FIELD_NOT_WRITABLE, TDX_METADATA_FIELD_VALUE_NOT_VALID } from '../../spec/status.ts';
import { ensure } from '../status.ts';
import type { MemoryStruct } from '../td/memory-struct.ts';
import type { MetadataElement } from './field-id.ts';

const addressOf = (struct: MemoryStruct, { field, index }: MetadataElement): number =>
  struct.at(field.offset! + index * field.elementSize);

/** An element where it lies in TDR, TDCS or TDVPS. */
export const readElement = (struct: MemoryStruct, element: MetadataElement): bigint => {
  const size = element.field.elementSize;
  const word = struct.lp.load(addressOf(struct, element), size, struct.keyId).u64[0]!;
  return BigInt.asUintN(8 * size, word);
};

const storeElement = (struct: MemoryStruct, element: MetadataElement, value: bigint): void => {
  struct.lp.platform.core.mailbox.u64[0] = value;
  struct.lp.store(addressOf(struct, element), element.field.elementSize, struct.keyId);
};

/** Is the new value of a field with rules of its own legal? */
export type IsLegal = (field: MetadataField, value: bigint) => boolean;

/**
 * The write half of MNG.WR and VP.WR (leaf-checks.md §2): writable bits asked for, none else changed, a legal value.
 * Returns the old value.
 */
export const writeElement = (
  struct: MemoryStruct,
  element: MetadataElement,
  writeMask: bigint,
  requestMask: bigint,
  data: bigint,
  isLegal: IsLegal,
): bigint => {
  const mask = writeMask & requestMask;
  ensure(mask !== 0n, TDX_METADATA_FIELD_NOT_WRITABLE);
  const old = readElement(struct, element);
  const all = (1n << BigInt(8 * element.field.elementSize)) - 1n;
  ensure(((old ^ data) & requestMask & all & ~writeMask) === 0n && data <= all, TDX_METADATA_FIELD_VALUE_NOT_VALID);
  const value = (old & ~mask) | (data & mask);
  ensure(isLegal(element.field, value), TDX_METADATA_FIELD_VALUE_NOT_VALID);
  storeElement(struct, element, value);
  return old;
};
