import { ATTRIBUTES, TDCS } from '../../spec/layouts.ts';
import type { MetadataField } from '../../spec/metadata.ts';
import { TDX_METADATA_FIELD_NOT_READABLE } from '../../spec/status.ts';
import { cpuidIndex, isCpuidValues } from '../metadata/cpuid-values.ts';
import type { MetadataElement, ReadMask } from '../metadata/field-id.ts';
import { ensure } from '../status.ts';
import type { MemoryStruct } from './memory-struct.ts';
import type { Tdcs } from './tdcs.ts';

/** Classes of the TD context that lie in the TDR; the others are the TDCS's. */
const LAST_TDR_CLASS = 2;

/** TDCS.HP_LOCK_TIMEOUT in microseconds: default, smallest, largest (lifecycle: 1 s, 10 ms, 100 s). */
export const HP_LOCK_TIMEOUT_US = { DEFAULT: 1_000_000n, MIN: 10_000n, MAX: 100_000_000n } as const;

/** Where a field of the TD context lies. */
export const tdStructOf = (tdcs: Tdcs, field: MetadataField): MemoryStruct => (field.class <= LAST_TDR_CLASS ? tdcs.tdr : tdcs);

export const isDebugTd = (tdcs: Tdcs): boolean => (tdcs.get(TDCS.ATTRIBUTES) & ATTRIBUTES.DEBUG) !== 0n;

/** A debug TD lets the host see more. */
export const hostReadMask = (tdcs: Tdcs): ReadMask => (isDebugTd(tdcs) ? 'dbgRead' : 'prodRead');

/** A CPUID leaf that is a #VE has no value: TDX_METADATA_FIELD_NOT_READABLE. */
export const ensureValid = (tdcs: Tdcs, element: MetadataElement): void => {
  if (!isCpuidValues(element.field)) return;
  ensure(tdcs.get(TDCS.CPUID_VALID.item(cpuidIndex(element))) !== 0, TDX_METADATA_FIELD_NOT_READABLE);
};

/** Values that TDH.MNG.WR refuses. */
export const isLegalTdValue = (field: MetadataField, value: bigint): boolean =>
  field.name !== 'HP_LOCK_TIMEOUT' || (value >= HP_LOCK_TIMEOUT_US.MIN && value <= HP_LOCK_TIMEOUT_US.MAX);
