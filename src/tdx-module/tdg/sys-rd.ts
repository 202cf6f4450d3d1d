import type { MetadataElement } from '../metadata/field-id.ts';
import { hasSysField, sysFieldValue } from '../sys/fields.ts';
import type { GuestLeaf } from './context.ts';
import { readField } from './metadata.ts';

/** TDG.SYS.RD: one field of the module; returns the next id too. */
export const sysRd: GuestLeaf = function* (ctx) {
  const { module } = ctx;
  const read = ({ field, index }: MetadataElement): bigint => sysFieldValue(module, field.name, index);
  return readField(ctx, 'SYS', true, read, (field) => hasSysField(module, field.name));
};
