import { TD_MSRS } from '../spec/kvm-uapi.ts';
import type { Vcpu } from './vcpu/vcpu.ts';

/** KVM_X86_SET_MSR_FILTER as set. */
export interface MsrFilter {
  readonly allowByDefault: boolean;
  readonly ranges: readonly {
    readonly read: boolean;
    readonly write: boolean;
    readonly base: number;
    readonly bits: readonly boolean[];
  }[];
}

/** tdx_has_emulated_msr: may a TD reach this MSR by TDVMCALL? */
export function isEmulated(index: number, write: boolean): boolean {
  const { single, ranges, refused, readOnly } = TD_MSRS;
  const listed = (list: readonly number[]): boolean => list.includes(index);
  if (listed(refused)) return false;
  if (write && listed(readOnly)) return false;
  return listed(single) || listed(readOnly) || ranges.some(([first, last]) => index >= first && index <= last);
}

/** kvm_msr_allowed: the first range that covers the MSR decides. */
export function passesFilter(filter: MsrFilter | null, index: number, write: boolean): boolean {
  // x2APIC registers are never filtered.
  if (!filter || (index >= 0x800 && index <= 0x8ff)) return true;
  const range = filter.ranges.find((r) => (write ? r.write : r.read) && index >= r.base && index < r.base + r.bits.length);
  return range ? range.bits[index - range.base]! : filter.allowByDefault;
}

/** Reset values that are not 0: MISC_ENABLE (BTS and PEBS unavailable) and PAT. */
const RESET_VALUES: ReadonlyMap<number, bigint> = new Map([
  [0x1a0, 0x1800n],
  [0x277, 0x0007_0406_0007_0406n],
]);

/** KVM's software copy. */
export const readMsr = (vcpu: Vcpu, index: number): bigint => vcpu.msrs.get(index) ?? RESET_VALUES.get(index) ?? 0n;
