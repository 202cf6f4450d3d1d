import { copy_from_user, copy_to_user } from '../../linux/index.ts';
import { readEntries, writeEntries } from '../../spec/cpuid-entry.ts';
import { E2BIG, EFAULT } from '../../spec/errno.ts';
import { KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2, kvm_cpuid2 } from '../../spec/kvm-uapi.ts';
import type { VcpuIoctl } from './ioctls.ts';

const ENTRIES = BigInt(kvm_cpuid2.SIZE);

/** What TDVMCALL<Instruction.CPUID> answers; the CPUID of the instruction itself is the module's. */
export const setCpuid2: VcpuIoctl = function* (current, vcpu, arg) {
  const header = copy_from_user(current, arg, kvm_cpuid2.SIZE);
  if (!header) return -EFAULT;
  const nent = kvm_cpuid2.nent.get(header);
  if (nent > KVM_MAX_CPUID_ENTRIES) return -E2BIG;
  const bytes = copy_from_user(current, arg + ENTRIES, nent * kvm_cpuid_entry2.SIZE);
  if (!bytes) return -EFAULT;
  vcpu.cpuid = readEntries(bytes, 0, nent);
  return 0;
};

/** `nent` is written back only when the entries fit. */
export const getCpuid2: VcpuIoctl = function* (current, vcpu, arg) {
  const header = copy_from_user(current, arg, kvm_cpuid2.SIZE);
  if (!header) return -EFAULT;
  if (kvm_cpuid2.nent.get(header) < vcpu.cpuid.length) return -E2BIG;
  if (copy_to_user(current, arg + ENTRIES, writeEntries(vcpu.cpuid)) < 0) return -EFAULT;
  kvm_cpuid2.nent.set(header, vcpu.cpuid.length);
  return copy_to_user(current, arg, header);
};
