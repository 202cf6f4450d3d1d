import { File, type Thread } from '../../linux/index.ts';
import { EEXIST, EINVAL, EIO, ENOMEM } from '../../spec/errno.ts';
import { KVM_MAX_VCPU_IDS, KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_UNINITIALIZED } from '../../spec/kvm-uapi.ts';
import { allocPages } from '../pages.ts';
import { RUN_PAGES } from '../run.ts';
import { maxVcpus } from '../system/check-extension.ts';
import { noRegisters, type TdVcpu } from '../tdx/td.ts';
import { vcpuFileOperations } from '../vcpu/ioctls.ts';
import { makeVcpu } from '../vcpu/vcpu.ts';
import type { VmIoctl } from './index.ts';
import type { Vm } from './vm.ts';

const uninitializedVcpu = (postedInterruptDescriptor: number): TdVcpu => ({
  state: 'uninitialized',
  vp: { tdvpr_page: 0, tdcx_pages: [] },
  associatedCpu: -1,
  postedInterruptDescriptor,
  sharedEptLoaded: false,
  vpEnterStatus: 0n,
  args: noRegisters(),
});

/** A vCPU's file descriptor; the argument is its id, which is also its APIC id. */
export const createVcpu: VmIoctl = function* (current, vm, arg) {
  const id = Number(BigInt.asUintN(32, arg));
  if (id >= KVM_MAX_VCPU_IDS) return -EINVAL;
  yield* vm.lock.lock();
  const refused = precheck(current, vm, id);
  if (refused === 0) vm.createdVcpus++;
  vm.lock.unlock();
  if (refused !== 0) return refused;

  const pages = allocPages(current, RUN_PAGES + 1, 'kvm:vcpu');
  yield* vm.lock.lock();
  const error = pages === null ? -ENOMEM : vm.vcpus.some((vcpu) => vcpu.id === id) ? -EEXIST : 0;
  const fd = error === 0 ? install(current, vm, id, pages!) : error;
  if (fd < 0) {
    vm.createdVcpus--;
    for (const page of pages ?? []) current.cpu.kernel.pages.__free_page(page);
  }
  vm.lock.unlock();
  return fd;
};

function precheck(current: Thread, vm: Vm, id: number): number {
  if (vm.createdVcpus >= maxVcpus(current, vm)) return -EINVAL;
  if (id >= vm.maxVcpuIds) return -EINVAL;
  if (!vm.td) return 0;
  if (vm.td.state !== 'initialized') return -EIO;
  return vm.irqchip === 'split' ? 0 : -EINVAL;
}

/** The last page is struct kvm_vcpu itself: the module and the CPU know of its posted-interrupt descriptor. */
function install(current: Thread, vm: Vm, id: number, pages: readonly number[]): number {
  const index = vm.vcpus.length;
  const isWaiting = vm.irqchip !== 'none' && index !== 0;
  const mpState = isWaiting ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE;
  const ownPage = pages[RUN_PAGES]!;
  const vcpu = makeVcpu(
    vm,
    id,
    index,
    { runPages: pages.slice(0, RUN_PAGES), ownPage },
    vm.td && uninitializedVcpu(ownPage),
    mpState,
  );
  vm.vcpus.push(vcpu);
  vm.users++;
  return current.process.files.install(new File(vcpuFileOperations(vcpu), vcpu));
}
