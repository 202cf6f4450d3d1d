import type { Software } from '../platform/software.ts';
import { type CpuidEntry, readEntries, writeEntries } from '../spec/cpuid-entry.ts';
import {
  KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
  KVM_GET_SUPPORTED_CPUID,
  KVM_MAX_CPUID_ENTRIES,
  kvm_cpuid_entry2,
  kvm_cpuid2,
} from '../spec/kvm-uapi.ts';
import { ioctlWith } from './call.ts';
import type { Syscalls } from './syscalls.ts';

/** struct kvm_cpuid2 with its entries. */
export function cpuid2(entries: readonly CpuidEntry[]): Uint8Array {
  const array = writeEntries(entries);
  const bytes = new Uint8Array(kvm_cpuid2.SIZE + array.length);
  kvm_cpuid2.nent.set(bytes, entries.length);
  bytes.set(array, kvm_cpuid2.SIZE);
  return bytes;
}

/** KVM_GET_SUPPORTED_CPUID. */
export function* supportedCpuid(syscalls: Syscalls, kvmFd: number, scratch: number): Software<CpuidEntry[]> {
  const bytes = new Uint8Array(kvm_cpuid2.SIZE + KVM_MAX_CPUID_ENTRIES * kvm_cpuid_entry2.SIZE);
  kvm_cpuid2.nent.set(bytes, KVM_MAX_CPUID_ENTRIES);
  const out = yield* ioctlWith(syscalls, kvmFd, [KVM_GET_SUPPORTED_CPUID, 'KVM_GET_SUPPORTED_CPUID'], bytes, scratch);
  return readEntries(out, kvm_cpuid2.SIZE, kvm_cpuid2.nent.get(out));
}

const ADDRESS_WIDTHS = 0x8000_0008;
const GUEST_WIDTH_SHIFT = 16;

/**
 * The CPUID configuration for INIT_VM: of every configurable entry, the host's bits as far as they are configurable. A function with
 * sub-leaves needs the flag, which KVM does not report.
 * @param width guest-physical address bits, 48 or 52.
 */
export function tdCpuid(configurable: readonly CpuidEntry[], host: readonly CpuidEntry[], width: number): CpuidEntry[] {
  return configurable.map((mask) => {
    const native = host.find((entry) => entry.function === mask.function && entry.index === mask.index);
    const isSubleaf =
      native?.flags === KVM_CPUID_FLAG_SIGNIFCANT_INDEX ||
      configurable.some((other) => other !== mask && other.function === mask.function);
    const eax = mask.function === ADDRESS_WIDTHS ? width << GUEST_WIDTH_SHIFT : (native?.eax ?? 0) & mask.eax;
    return {
      ...mask,
      flags: isSubleaf ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
      eax,
      ebx: (native?.ebx ?? 0) & mask.ebx,
      ecx: (native?.ecx ?? 0) & mask.ecx,
      edx: (native?.edx ?? 0) & mask.edx,
    };
  });
}

const HYPERVISOR = 0x4000_0000;
const words = (text: string): [number, number, number] => {
  const bytes = new TextEncoder().encode(text.padEnd(12, '\0'));
  const view = new DataView(bytes.buffer);
  return [view.getUint32(0, true), view.getUint32(4, true), view.getUint32(8, true)];
};

/** CPUID for KVM_SET_CPUID2: what KVM supports (x2APIC is in it) and KVM's own leaves, which a TD reaches by TDVMCALL. */
export function vcpuCpuid(host: readonly CpuidEntry[]): CpuidEntry[] {
  const [ebx, ecx, edx] = words('KVMKVMKVM');
  return [...host, { function: HYPERVISOR, index: 0, flags: 0, eax: HYPERVISOR + 1, ebx, ecx, edx }];
}
