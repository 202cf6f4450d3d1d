import { EINVAL } from '../../spec/errno.ts';
import type { VmIoctl } from './index.ts';

/** kvm_caps.max_guest_tsc_khz with a scaling ratio that allows anything (assumed). */
const MAX_GUEST_TSC_KHZ = 0x7fff_ffff;

/** Frequency of vCPUs to come. 0: the host's. There is no TDX range check: the module makes it in TDH.MNG.INIT. */
export const setTscKhz: VmIoctl = function* (_current, vm, arg) {
  const khz = Number(BigInt.asUintN(32, arg));
  if (khz >= MAX_GUEST_TSC_KHZ) return -EINVAL;
  yield* vm.lock.lock();
  const result = vm.createdVcpus > 0 ? -EINVAL : 0;
  if (result === 0) vm.tscKhz = khz || vm.kvm.tscKhz;
  vm.lock.unlock();
  return result;
};

export const getTscKhz: VmIoctl = function* (_current, vm) {
  return vm.tscKhz;
};
