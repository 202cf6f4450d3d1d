/** struct kvm_cpuid_entry2 as values: the kernel and its users write the same array. */
import { kvm_cpuid_entry2 } from './kvm-uapi.ts';

const FIELDS = ['function', 'index', 'flags', 'eax', 'ebx', 'ecx', 'edx'] as const;

export type CpuidEntry = { readonly [field in (typeof FIELDS)[number]]: number };

/** `count` entries of the array that starts at `base`. */
export function readEntries(bytes: Uint8Array, base: number, count: number): CpuidEntry[] {
  return Array.from({ length: count }, (_, i) => {
    const at = base + i * kvm_cpuid_entry2.SIZE;
    const values = FIELDS.map((field) => [field, kvm_cpuid_entry2[field].get(bytes, at)] as const);
    return Object.fromEntries(values) as CpuidEntry;
  });
}

/** The array of these entries. */
export function writeEntries(entries: readonly CpuidEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * kvm_cpuid_entry2.SIZE);
  entries.forEach((entry, i) => {
    for (const field of FIELDS) kvm_cpuid_entry2[field].set(bytes, entry[field] >>> 0, i * kvm_cpuid_entry2.SIZE);
  });
  return bytes;
}
