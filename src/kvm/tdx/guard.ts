import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EBUSY, EINTR } from '../../spec/errno.ts';
import type { Vm } from '../vm/vm.ts';

/** tdx_acquire_vm_state_locks: kvm->lock, every vCPU and the slots lock, so that nothing about the TD changes. 0, -EBUSY or -EINTR. */
export function* lockVmState(current: Thread, vm: Vm): Software<number> {
  yield* vm.lock.lock();
  const error = vm.createdVcpus !== vm.vcpus.length ? -EBUSY : yield* lockAllVcpus(current, vm);
  if (error < 0) {
    vm.lock.unlock();
    return error;
  }
  yield* vm.slotsLock.lock();
  return 0;
}

function* lockAllVcpus(current: Thread, vm: Vm): Software<number> {
  const taken = [];
  for (const vcpu of vm.vcpus) {
    if (!(yield* vcpu.mutex.lockKillable(() => current.signal_pending))) {
      for (const other of taken) other.mutex.unlock();
      return -EINTR;
    }
    taken.push(vcpu);
  }
  return 0;
}

export function unlockVmState(vm: Vm): void {
  vm.slotsLock.unlock();
  for (const vcpu of vm.vcpus) vcpu.mutex.unlock();
  vm.lock.unlock();
}
