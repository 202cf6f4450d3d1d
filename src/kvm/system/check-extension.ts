import type { Thread } from '../../linux/index.ts';
import {
  GUEST_MEMFD_FLAG_INIT_SHARED,
  GUEST_MEMFD_FLAG_MMAP,
  KVM_CAP_CHECK_EXTENSION_VM,
  KVM_CAP_ENABLE_CAP_VM,
  KVM_CAP_EXIT_HYPERCALL,
  KVM_CAP_GUEST_MEMFD,
  KVM_CAP_GUEST_MEMFD_FLAGS,
  KVM_CAP_MAX_VCPU_ID,
  KVM_CAP_MAX_VCPUS,
  KVM_CAP_MEMORY_ATTRIBUTES,
  KVM_CAP_MEMORY_FAULT_INFO,
  KVM_CAP_MULTI_ADDRESS_SPACE,
  KVM_CAP_NR_MEMSLOTS,
  KVM_CAP_NR_VCPUS,
  KVM_CAP_PRE_FAULT_MEMORY,
  KVM_CAP_READONLY_MEM,
  KVM_CAP_SPLIT_IRQCHIP,
  KVM_CAP_TSC_CONTROL,
  KVM_CAP_USER_MEMORY,
  KVM_CAP_USER_MEMORY2,
  KVM_CAP_VM_TSC_CONTROL,
  KVM_CAP_VM_TYPES,
  KVM_CAP_X86_MSR_FILTER,
  KVM_CAP_X86_USER_SPACE_MSR,
  KVM_HC_MAP_GPA_RANGE,
  KVM_MAX_VCPU_IDS,
  KVM_MAX_VCPUS,
  KVM_MEMORY_ATTRIBUTE_PRIVATE,
  KVM_MSR_EXIT_REASON_FILTER,
  KVM_MSR_EXIT_REASON_INVAL,
  KVM_MSR_EXIT_REASON_UNKNOWN,
  KVM_USER_MEM_SLOTS,
  KVM_X86_DEFAULT_VM,
  KVM_X86_TDX_VM,
} from '../../spec/kvm-uapi.ts';
import type { Kvm } from '../kvm.ts';
import { isTd, type Vm } from '../vm/vm.ts';
import type { SystemIoctl } from './index.ts';

/** What a capability is worth: on /dev/kvm `vm` is null. */
type Value = (current: Thread, kvm: Kvm, vm: Vm | null) => number;

const one: Value = () => 1;
const onlineCpus: Value = (current) => current.cpu.kernel.onlineCpus.length;

/** Per VM: min(KVM's limit, present CPUs) for a TD. */
export const maxVcpus = (current: Thread, vm: Vm | null): number =>
  vm && isTd(vm) ? Math.min(KVM_MAX_VCPUS, current.cpu.kernel.cpus.length) : KVM_MAX_VCPUS;

export const HYPERCALL_EXITS = 1n << BigInt(KVM_HC_MAP_GPA_RANGE);
export const MSR_EXIT_REASONS = KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER;

/** guest_memfd flags of a VM type; memory of a TD is never shared from the start. */
export const gmemFlags = (vm: Vm | null): number =>
  vm && isTd(vm) ? GUEST_MEMFD_FLAG_MMAP : GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED;

const VALUES: ReadonlyMap<number, Value> = new Map<number, Value>([
  [KVM_CAP_USER_MEMORY, one],
  [KVM_CAP_USER_MEMORY2, one],
  [KVM_CAP_ENABLE_CAP_VM, one],
  [KVM_CAP_CHECK_EXTENSION_VM, one],
  [KVM_CAP_SPLIT_IRQCHIP, one],
  [KVM_CAP_TSC_CONTROL, one],
  [KVM_CAP_VM_TSC_CONTROL, one],
  [KVM_CAP_X86_MSR_FILTER, one],
  [KVM_CAP_MEMORY_FAULT_INFO, one],
  [KVM_CAP_PRE_FAULT_MEMORY, one],
  [KVM_CAP_GUEST_MEMFD, one],
  [KVM_CAP_NR_VCPUS, onlineCpus],
  [KVM_CAP_MAX_VCPUS, (current, _kvm, vm) => maxVcpus(current, vm)],
  [KVM_CAP_MAX_VCPU_ID, () => KVM_MAX_VCPU_IDS],
  [KVM_CAP_NR_MEMSLOTS, () => KVM_USER_MEM_SLOTS],
  [KVM_CAP_READONLY_MEM, (_current, _kvm, vm) => (vm && isTd(vm) ? 0 : 1)],
  [KVM_CAP_MULTI_ADDRESS_SPACE, (_current, _kvm, vm) => (vm && isTd(vm) ? 1 : 2)],
  [KVM_CAP_EXIT_HYPERCALL, () => Number(HYPERCALL_EXITS)],
  [KVM_CAP_X86_USER_SPACE_MSR, () => MSR_EXIT_REASONS],
  [KVM_CAP_MEMORY_ATTRIBUTES, (_current, _kvm, vm) => (!vm || isTd(vm) ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0)],
  [KVM_CAP_GUEST_MEMFD_FLAGS, (_current, _kvm, vm) => gmemFlags(vm)],
  [KVM_CAP_VM_TYPES, (_current, kvm) => (1 << KVM_X86_DEFAULT_VM) | (kvm.tdx ? 1 << KVM_X86_TDX_VM : 0)],
]);

/** 0 for what KVM does not know. */
export const extensionValue: (current: Thread, kvm: Kvm, vm: Vm | null, extension: bigint) => number = (
  current,
  kvm,
  vm,
  extension,
) => VALUES.get(Number(extension))?.(current, kvm, vm) ?? 0;

export const checkExtension: SystemIoctl = function* (current, kvm, arg) {
  return extensionValue(current, kvm, null, arg);
};
