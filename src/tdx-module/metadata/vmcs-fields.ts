import type { Field } from '../../spec/field.ts';
import { TD_VMCS, VMCS_ENCODING } from '../../spec/layouts.ts';
import { fieldClass, fieldCode, type MetadataField } from '../../spec/metadata.ts';
import type { MetadataElement } from './field-id.ts';

/** Class 0 of the VP context: VMCS fields by their encodings. */
const VMCS_CLASS = 0;
const ALL = (1n << 64n) - 1n;
/** Bits of the pin-based controls that the host may change: 7, process posted interrupts. */
const PIN_BASED_WRITABLE = 1n << 7n;

/** What a host may write although it cannot read or trust the rest (td-exits.md §8). A debug TD shows all. */
const PROD_WRITE: Readonly<Partial<Record<keyof typeof VMCS_ENCODING, bigint>>> = {
  POSTED_INT_NOTIFICATION_VECTOR: ALL,
  POSTED_INT_DESC_ADDR: ALL,
  SHARED_EPTP: ALL,
  PIN_BASED_VM_EXEC_CONTROL: PIN_BASED_WRITABLE,
};

const nameByEncoding: ReadonlyMap<number, keyof typeof VMCS_ENCODING> = new Map(
  Object.entries(VMCS_ENCODING).map(([name, encoding]) => [encoding, name as keyof typeof VMCS_ENCODING]),
);

const sized = (field: Field<number> | Field<bigint>, mask: bigint): bigint => mask & ((1n << BigInt(8 * field.size)) - 1n);

/** The VMCS field that an id of the VP context names, as metadata; undefined for other ids. */
export function findVmcsField(id: bigint): MetadataElement | undefined {
  const name = fieldClass(id) === VMCS_CLASS ? nameByEncoding.get(fieldCode(id)) : undefined;
  if (name === undefined) return undefined;
  const layout = TD_VMCS[name];
  const write = sized(layout, PROD_WRITE[name] ?? 0n);
  const read = sized(layout, ALL);
  const field: MetadataField = {
    name,
    id,
    class: VMCS_CLASS,
    code: fieldCode(id),
    elementSize: layout.size,
    fields: 1,
    elements: 1,
    offset: layout.offset,
    specialRead: false,
    specialWrite: write !== 0n,
    masks: { prodRead: write === 0n ? 0n : read, prodWrite: write, dbgRead: read, dbgWrite: read, guestRead: 0n, guestWrite: 0n },
  };
  return { field, index: 0 };
}
