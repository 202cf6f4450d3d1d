import type { CpuidEntry } from '../spec/cpuid-entry.ts';
import { KVM_CPUID_FLAG_SIGNIFCANT_INDEX } from '../spec/kvm-uapi.ts';

/** cpuid_entry2_find: an entry without the flag matches every index of its function. */
export function findEntry(entries: readonly CpuidEntry[], leaf: number, index: number): CpuidEntry | undefined {
  return entries.find(
    (entry) => entry.function === leaf && ((entry.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) === 0 || entry.index === index),
  );
}

/** CPUID(1).ECX[21]. */
export const X2APIC = 1 << 21;
export const hasX2apic = (entries: readonly CpuidEntry[]): boolean => ((findEntry(entries, 1, 0)?.ecx ?? 0) & X2APIC) !== 0;

const TSX = (1 << 4) | (1 << 11);
const WAITPKG = 1 << 5;

/** CPUID bits that KVM does not support in a TD although the module lets a host configure them: HLE, RTM, WAITPKG (leaf 7.0). */
export const hasUnsupportedTdBits = (entry: CpuidEntry): boolean =>
  entry.function === 7 && entry.index === 0 && ((entry.ebx & TSX) !== 0 || (entry.ecx & WAITPKG) !== 0);

export const withoutUnsupportedTdBits = (entry: CpuidEntry): CpuidEntry =>
  entry.function === 7 && entry.index === 0 ? { ...entry, ebx: entry.ebx & ~TSX, ecx: entry.ecx & ~WAITPKG } : entry;

/** CPUID(0x80000008).EAX[23:16]: where KVM's ABI carries the guest's physical address width. */
export const PHYSICAL_BITS_LEAF = 0x8000_0008;
export const guestPhysicalBits = (eax: number): number => (eax >>> 16) & 0xff;
export const withGuestPhysicalBits = (eax: number, bits: number): number => ((eax & ~0xff_0000) | (bits << 16)) >>> 0;
