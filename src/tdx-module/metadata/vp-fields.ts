import { LIMIT, TD_VMCS, TDVPS, VMCS_ENCODING } from '../../spec/layouts.ts';
import type { MetadataField } from '../../spec/metadata.ts';
import { INITIAL_VCPU } from '../../spec/states.ts';
import { TDX_TD_VMCS_FIELD_NOT_INITIALIZED } from '../../spec/status.ts';
import type { TdxModule } from '../module.ts';
import { ensure } from '../status.ts';
import type { Tdvps } from '../td/tdvps.ts';
import { readElement } from './access.ts';
import { findField, type MetadataElement } from './field-id.ts';
import { findVmcsField } from './vmcs-fields.ts';

const PRIORITY_CLASS = 0xf0;
const RVI_MASK = 0xff;
/** Processor-priority register in the virtual-APIC page. */
const VPPR = 0xa0;
const POSTED_DESCRIPTOR_ALIGNMENT = 64n;
const MAX_VECTOR = 0xffn;
const POSTED_INTERRUPTS = 1n << 7n;

/** A field of the VP context: the table's, or of the VMCS. */
export const findVpField = (id: bigint): MetadataElement => findVmcsField(id) ?? findField('VP', id);

/** The value of a field; VCPU_STATE_DETAILS is computed when asked for. */
export const readVpField = (tdvps: Tdvps, element: MetadataElement): bigint =>
  element.field.name === 'VCPU_STATE_DETAILS' ? vcpuStateDetails(tdvps) : readElement(tdvps, element);

/** Bit 0, VMXIP: a virtual interrupt waits that the VCPU would take (td-exits.md §8). */
function vcpuStateDetails(tdvps: Tdvps): bigint {
  const rvi = tdvps.get(TD_VMCS.GUEST_INTERRUPT_STATUS) & RVI_MASK;
  const vppr = tdvps.lp.load32(tdvps.at(TDVPS.VAPIC.offset) + VPPR, tdvps.keyId);
  return (rvi & PRIORITY_CLASS) > (vppr & PRIORITY_CLASS) ? 1n : 0n;
}

/** Values that a field takes, beyond its write mask. */
export function isLegalVpValue(module: TdxModule, field: MetadataField, value: bigint): boolean {
  const isShared = (pa: bigint): boolean =>
    pa >> BigInt(LIMIT.HPA_BITS) === 0n && Number(pa >> BigInt(module.keyIds.shift)) < module.keyIds.firstPrivate;
  switch (field.name) {
    case 'POSTED_INT_NOTIFICATION_VECTOR':
      return value <= MAX_VECTOR;
    case 'POSTED_INT_DESC_ADDR':
      return value % POSTED_DESCRIPTOR_ALIGNMENT === 0n && isShared(value);
    case 'SHARED_EPTP':
      return isShared(value & ~0xfffn);
    default:
      return true;
  }
}

/** Posted interrupts need their vector and descriptor first. */
export function ensurePostedInterruptsReady(tdvps: Tdvps, field: MetadataField, data: bigint): void {
  if (field.name !== 'PIN_BASED_VM_EXEC_CONTROL' || (data & POSTED_INTERRUPTS) === 0n) return;
  const status = (encoding: number): bigint => TDX_TD_VMCS_FIELD_NOT_INITIALIZED | BigInt(encoding);
  const vector = tdvps.get(TD_VMCS.POSTED_INT_NOTIFICATION_VECTOR);
  ensure(vector !== Number(INITIAL_VCPU.NOTIFICATION_VECTOR), status(VMCS_ENCODING.POSTED_INT_NOTIFICATION_VECTOR));
  const descriptor = tdvps.get(TD_VMCS.POSTED_INT_DESC_ADDR);
  ensure(descriptor !== INITIAL_VCPU.POSTED_INT_DESC_ADDR, status(VMCS_ENCODING.POSTED_INT_DESC_ADDR));
}
