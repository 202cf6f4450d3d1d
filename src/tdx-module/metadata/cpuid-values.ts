import { cpuidEntries, cpuidLookup } from '../../spec/cpuid.ts';
import { fieldClass, fieldCode, findMetadata, MD_TD, type MetadataContext, type MetadataField } from '../../spec/metadata.ts';
import type { MetadataElement } from './field-id.ts';

/** The field code of CPUID_VALUES is not a position: bit 0 element, 7:1 sub-leaf, 8 no sub-leaf, 15:9 leaf, 16 leaf bit 31 (the module's md_field_id). */
const SUBLEAF_SHIFT = 1;
const NO_SUBLEAF = 0x1fe;
const NO_SUBLEAF_FLAG = 1 << 8;
const LEAF_SHIFT = 9;
const EXTENDED_FLAG = 1 << 16;
const SEVEN_BITS = 0x7f;
const CODE_BITS = 17;
const EXTENDED_LEAF = 0x8000_0000;
/** What stands for "every sub-leaf" where an entry has none. */
const ANY_SUBLEAF = 0xffff_ffff;

const CLASS = fieldClass(MD_TD.CPUID_VALUES);
const ELEMENTS = 2;

/** Is this an id of the TD's virtual CPUID? */
export const isCpuidClass = (context: MetadataContext, id: bigint): boolean => context === 'TD' && fieldClass(id) === CLASS;

export const isCpuidValues = (field: MetadataField): boolean => field.id === MD_TD.CPUID_VALUES;

/** The next element of a leaf that has values; undefined after the last. That a walk passes over #VE leaves is assumed. */
export function nextCpuidIndex(index: number): number | undefined {
  const entries = cpuidEntries();
  let next = index + 1;
  while (entries[Math.floor(next / ELEMENTS)]?.causesVe) next += ELEMENTS;
  return next < entries.length * ELEMENTS ? next : undefined;
}

/** Position in the lookup table of the element's leaf. */
export const cpuidIndex = ({ index }: MetadataElement): number => Math.floor(index / ELEMENTS);

/** EBX:EAX or EDX:ECX of a leaf; undefined for reserved bits and for leaves that are not in the table. */
export function findCpuidValue(id: bigint): MetadataElement | undefined {
  const code = fieldCode(id);
  if (code >> CODE_BITS !== 0) return undefined;
  const leaf = ((code >> LEAF_SHIFT) & SEVEN_BITS) + ((code & EXTENDED_FLAG) === 0 ? 0 : EXTENDED_LEAF);
  const subleaf = (code & NO_SUBLEAF_FLAG) === 0 ? (code >> SUBLEAF_SHIFT) & SEVEN_BITS : ANY_SUBLEAF;
  const position = cpuidLookup(leaf, subleaf);
  if (position < 0) return undefined;
  const { field } = findMetadata('TD', MD_TD.CPUID_VALUES)!;
  return { field, index: position * ELEMENTS + (code % ELEMENTS) };
}

/** The inverse of {@link findCpuidValue}. */
export function cpuidValueId(index: number): bigint {
  const { leaf, subleaf } = cpuidEntries()[Math.floor(index / ELEMENTS)]!;
  const leafCode = ((leaf & SEVEN_BITS) << LEAF_SHIFT) | (leaf >= EXTENDED_LEAF ? EXTENDED_FLAG : 0);
  const subleafCode = subleaf === undefined ? NO_SUBLEAF : subleaf << SUBLEAF_SHIFT;
  return MD_TD.CPUID_VALUES | BigInt(leafCode | subleafCode | (index % ELEMENTS));
}
