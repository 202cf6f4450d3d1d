import { EINVAL } from '../../spec/errno.ts';
import type { VcpuIoctl } from './ioctls.ts';

/** A TD's TSC is the module's: only the VM's ioctl, before INIT_VM, has a say. */
export const setTscKhz: VcpuIoctl = function* (_current, vcpu) {
  return vcpu.td ? -EINVAL : 0;
};

export const getTscKhz: VcpuIoctl = function* (_current, vcpu) {
  return vcpu.vm.tscKhz;
};
