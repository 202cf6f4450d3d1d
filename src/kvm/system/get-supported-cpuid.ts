import { copy_from_user, copy_to_user } from '../../linux/index.ts';
import { type CpuidEntry, writeEntries } from '../../spec/cpuid-entry.ts';
import { E2BIG, EFAULT } from '../../spec/errno.ts';
import { KVM_CPUID_FLAG_SIGNIFCANT_INDEX, KVM_MAX_CPUID_ENTRIES, kvm_cpuid2 } from '../../spec/kvm-uapi.ts';
import { X2APIC } from '../cpuid.ts';
import type { SystemIoctl } from './index.ts';

/** Leaves with their number of sub-leaves; 0: the index does not matter. KVM itself provides x2APIC. */
const LEAVES: readonly (readonly [number, number])[] = [
  [0, 0],
  [1, 0],
  [2, 0],
  [4, 4],
  [6, 0],
  [7, 3],
  [0xa, 0],
  [0xb, 2],
  [0xd, 2],
  [0x14, 2],
  [0x15, 0],
  [0x16, 0],
  [0x1c, 0],
  [0x1f, 3],
  [0x8000_0000, 0],
  [0x8000_0001, 0],
  [0x8000_0002, 0],
  [0x8000_0003, 0],
  [0x8000_0004, 0],
  [0x8000_0006, 0],
  [0x8000_0007, 0],
  [0x8000_0008, 0],
];

export const getSupportedCpuid: SystemIoctl = function* (current, _kvm, arg) {
  const header = copy_from_user(current, arg, kvm_cpuid2.SIZE);
  if (!header) return -EFAULT;
  const entries = LEAVES.flatMap(([leaf, subleaves]) =>
    Array.from({ length: Math.max(1, subleaves) }, (_, index): CpuidEntry => {
      const [eax, ebx, ecx, edx] = current.cpu.lp.cpuid(leaf, index);
      const flags = subleaves > 0 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
      return { function: leaf, index, flags, eax, ebx, ecx: leaf === 1 ? ecx | X2APIC : ecx, edx };
    }),
  );
  const room = Math.min(kvm_cpuid2.nent.get(header), KVM_MAX_CPUID_ENTRIES);
  if (room < entries.length) return -E2BIG;
  kvm_cpuid2.nent.set(header, entries.length);
  if (copy_to_user(current, arg, header) < 0) return -EFAULT;
  return copy_to_user(current, arg + BigInt(kvm_cpuid2.SIZE), writeEntries(entries));
};
