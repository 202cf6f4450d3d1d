import { copy_from_user, type Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EEXIST, EFAULT, EINVAL } from '../../spec/errno.ts';
import {
  KVM_CAP_EXIT_HYPERCALL,
  KVM_CAP_MAX_VCPU_ID,
  KVM_CAP_SPLIT_IRQCHIP,
  KVM_CAP_X86_USER_SPACE_MSR,
  KVM_MAX_VCPU_IDS,
  kvm_enable_cap,
} from '../../spec/kvm-uapi.ts';
import { HYPERCALL_EXITS, MSR_EXIT_REASONS } from '../system/check-extension.ts';
import type { VmIoctl } from './index.ts';
import type { Vm } from './vm.ts';

const MAX_RESERVED_IOAPIC_PINS = 24n;

type Enable = (current: Thread, vm: Vm, arg: bigint) => Software<number>;

const splitIrqchip: Enable = function* (_current, vm, pins) {
  yield* vm.lock.lock();
  const result = pins > MAX_RESERVED_IOAPIC_PINS ? -EINVAL : vm.irqchip !== 'none' || vm.createdVcpus > 0 ? -EEXIST : 0;
  if (result === 0) vm.irqchip = 'split';
  vm.lock.unlock();
  return result;
};

const exitHypercall: Enable = function* (_current, vm, mask) {
  if ((mask & ~HYPERCALL_EXITS) !== 0n) return -EINVAL;
  vm.hypercallExits = mask;
  return 0;
};

const userSpaceMsr: Enable = function* (_current, vm, mask) {
  if ((mask & ~BigInt(MSR_EXIT_REASONS)) !== 0n) return -EINVAL;
  vm.userSpaceMsr = Number(mask);
  return 0;
};

/** Can be set once; the same value again is accepted. */
const maxVcpuId: Enable = function* (_current, vm, limit) {
  if (limit === 0n || limit > BigInt(KVM_MAX_VCPU_IDS)) return -EINVAL;
  const isFirst = vm.maxVcpuIds === KVM_MAX_VCPU_IDS;
  if (!isFirst && vm.maxVcpuIds !== Number(limit)) return -EINVAL;
  vm.maxVcpuIds = Number(limit);
  return 0;
};

const CAPABILITIES: ReadonlyMap<number, Enable> = new Map([
  [KVM_CAP_SPLIT_IRQCHIP, splitIrqchip],
  [KVM_CAP_EXIT_HYPERCALL, exitHypercall],
  [KVM_CAP_X86_USER_SPACE_MSR, userSpaceMsr],
  [KVM_CAP_MAX_VCPU_ID, maxVcpuId],
]);

export const enableCap: VmIoctl = function* (current, vm, arg) {
  const bytes = copy_from_user(current, arg, kvm_enable_cap.SIZE);
  if (!bytes) return -EFAULT;
  if (kvm_enable_cap.flags.get(bytes) !== 0) return -EINVAL;
  const enable = CAPABILITIES.get(kvm_enable_cap.cap.get(bytes));
  return enable ? yield* enable(current, vm, kvm_enable_cap.args.get(bytes, 0)) : -EINVAL;
};
