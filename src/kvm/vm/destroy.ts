import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { freeRoots } from '../mmu/roots.ts';
import { freePage } from '../pages.ts';
import { freeVcpu, reclaimTdControlPages, releaseHkid } from '../tdx/teardown.ts';
import type { Vm } from './vm.ts';

/** kvm_put_kvm: the last holder destroys the VM. */
export function* putVm(current: Thread, vm: Vm): Software {
  if (--vm.users === 0) yield* destroyVm(current, vm);
}

/** kvm_destroy_vm. Every guest_memfd has been released by now, so no private page is left. */
function* destroyVm(current: Thread, vm: Vm): Software {
  const { lp } = current.cpu;
  if (vm.td) yield* lp.phase('KeyID: VP.FLUSH, VPFLUSHDONE, CACHE.WB, KEY.FREEID', releaseHkid(current, vm));
  yield* lp.phase('control pages: RECLAIM, the TDR last', freePages(current, vm));
  vm.kvm.vms.delete(vm);
}

function* freePages(current: Thread, vm: Vm): Software {
  for (const vcpu of vm.vcpus) {
    if (vcpu.td) yield* freeVcpu(current, vm, vcpu);
    for (const page of [...vcpu.runPages, vcpu.ownPage]) freePage(current, page);
  }
  if (vm.td) {
    yield* freeRoots(current, vm.td);
    yield* reclaimTdControlPages(current, vm);
  }
}
