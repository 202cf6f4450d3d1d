import { File, type FileOperations, type MiscDevice, type Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EINVAL } from '../../spec/errno.ts';
import {
  KVM_CHECK_EXTENSION,
  KVM_CREATE_VM,
  KVM_GET_API_VERSION,
  KVM_GET_SUPPORTED_CPUID,
  KVM_GET_VCPU_MMAP_SIZE,
} from '../../spec/kvm-uapi.ts';
import type { Kvm } from '../kvm.ts';
import { requestName } from '../request-name.ts';
import { checkExtension } from './check-extension.ts';
import { createVm } from './create-vm.ts';
import { getApiVersion } from './get-api-version.ts';
import { getSupportedCpuid } from './get-supported-cpuid.ts';
import { getVcpuMmapSize } from './get-vcpu-mmap-size.ts';

export type SystemIoctl = (current: Thread, kvm: Kvm, arg: bigint) => Software<number>;

const IOCTLS: ReadonlyMap<number, SystemIoctl> = new Map([
  [KVM_GET_API_VERSION, getApiVersion],
  [KVM_CREATE_VM, createVm],
  [KVM_CHECK_EXTENSION, checkExtension],
  [KVM_GET_VCPU_MMAP_SIZE, getVcpuMmapSize],
  [KVM_GET_SUPPORTED_CPUID, getSupportedCpuid],
]);

export const kvmDevice = (kvm: Kvm): MiscDevice => ({
  path: '/dev/kvm',
  *open() {
    return new File(systemFileOperations(kvm), kvm);
  },
});

const systemFileOperations = (kvm: Kvm): FileOperations => ({
  name: '/dev/kvm',
  requestName,
  *ioctl(current, _file, request, arg) {
    const ioctl = IOCTLS.get(request);
    return ioctl ? yield* ioctl(current, kvm, arg) : -EINVAL;
  },
});
