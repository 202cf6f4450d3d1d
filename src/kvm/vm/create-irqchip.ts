import { EEXIST, EINVAL, ENOTTY } from '../../spec/errno.ts';
import type { VmIoctl } from './index.ts';
import { isTd } from './vm.ts';

/** A full in-kernel irqchip; a TD cannot have one, as KVM would have to see its EOIs. */
export const createIrqchip: VmIoctl = function* (_current, vm) {
  yield* vm.lock.lock();
  const result = vm.irqchip !== 'none' ? -EEXIST : isTd(vm) ? -ENOTTY : vm.createdVcpus > 0 ? -EINVAL : 0;
  if (result === 0) vm.irqchip = 'kernel';
  vm.lock.unlock();
  return result;
};
