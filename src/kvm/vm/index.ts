import type { FileOperations, Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EIO, ENOTTY } from '../../spec/errno.ts';
import {
  KVM_CHECK_EXTENSION,
  KVM_CREATE_GUEST_MEMFD,
  KVM_CREATE_IRQCHIP,
  KVM_CREATE_VCPU,
  KVM_ENABLE_CAP,
  KVM_GET_TSC_KHZ,
  KVM_MEMORY_ENCRYPT_OP,
  KVM_SET_MEMORY_ATTRIBUTES,
  KVM_SET_TSC_KHZ,
  KVM_SET_USER_MEMORY_REGION,
  KVM_SET_USER_MEMORY_REGION2,
  KVM_X86_SET_MSR_FILTER,
} from '../../spec/kvm-uapi.ts';
import { requestName } from '../request-name.ts';
import { checkExtension } from './check-extension.ts';
import { createGuestMemfd } from './create-guest-memfd.ts';
import { createIrqchip } from './create-irqchip.ts';
import { createVcpu } from './create-vcpu.ts';
import { putVm } from './destroy.ts';
import { enableCap } from './enable-cap.ts';
import { memoryEncryptOp } from './memory-encrypt-op.ts';
import { setMemoryAttributes } from './set-memory-attributes.ts';
import { setUserMemoryRegion, setUserMemoryRegion2 } from './set-user-memory-region.ts';
import { getTscKhz, setTscKhz } from './tsc-khz.ts';
import type { Vm } from './vm.ts';
import { x86SetMsrFilter } from './x86-set-msr-filter.ts';

export type VmIoctl = (current: Thread, vm: Vm, arg: bigint) => Software<number>;

const IOCTLS: ReadonlyMap<number, VmIoctl> = new Map([
  [KVM_CHECK_EXTENSION, checkExtension],
  [KVM_ENABLE_CAP, enableCap],
  [KVM_CREATE_IRQCHIP, createIrqchip],
  [KVM_CREATE_VCPU, createVcpu],
  [KVM_SET_USER_MEMORY_REGION, setUserMemoryRegion],
  [KVM_SET_USER_MEMORY_REGION2, setUserMemoryRegion2],
  [KVM_CREATE_GUEST_MEMFD, createGuestMemfd],
  [KVM_SET_MEMORY_ATTRIBUTES, setMemoryAttributes],
  [KVM_SET_TSC_KHZ, setTscKhz],
  [KVM_GET_TSC_KHZ, getTscKhz],
  [KVM_X86_SET_MSR_FILTER, x86SetMsrFilter],
  [KVM_MEMORY_ENCRYPT_OP, memoryEncryptOp],
]);

/** Files of a VM. A dead VM, or another process's, answers nothing but -EIO. */
export const vmFileOperations = (vm: Vm): FileOperations => ({
  name: 'kvm-vm',
  requestName,
  *ioctl(current, _file, request, arg) {
    if (vm.process !== current.process || vm.dead) return -EIO;
    const ioctl = IOCTLS.get(request);
    return ioctl ? yield* ioctl(current, vm, arg) : -ENOTTY;
  },
  *release(current) {
    yield* putVm(current, vm);
  },
});
