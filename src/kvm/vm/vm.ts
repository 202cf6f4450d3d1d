import type { Process, Thread } from '../../linux/index.ts';
import { EIO } from '../../spec/errno.ts';
import { KVM_X86_TDX_VM } from '../../spec/kvm-uapi.ts';
import type { Kvm } from '../kvm.ts';
import { Mutex, RwLock } from '../locks.ts';
import { MemoryAttributes } from '../mmu/attributes.ts';
import type { Memslot } from '../mmu/memslot.ts';
import type { MsrFilter } from '../msr.ts';
import type { Td } from '../tdx/td.ts';
import { kick } from '../vcpu/kick.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';

/** struct kvm. `td` is there on a VM of type KVM_X86_TDX_VM. */
export interface Vm {
  readonly kvm: Kvm;
  readonly type: number;
  readonly process: Process;
  readonly td: Td | null;
  /** kvm->lock, slots_lock, mmu_lock. */
  readonly lock: Mutex;
  readonly slotsLock: Mutex;
  readonly mmuLock: RwLock;
  readonly vcpus: Vcpu[];
  createdVcpus: number;
  maxVcpuIds: number;
  readonly slots: Map<number, Memslot>;
  readonly attributes: MemoryAttributes;
  /** Counts invalidations, so that a fault notices one that overtook it (mmu_invalidate_seq). */
  invalidateSeq: number;
  invalidating: number;
  irqchip: 'none' | 'kernel' | 'split';
  /** KVM_CAP_EXIT_HYPERCALL: bit = hypercall number. */
  hypercallExits: bigint;
  /** KVM_CAP_X86_USER_SPACE_MSR: KVM_MSR_EXIT_REASON_* that go to userspace. */
  userSpaceMsr: number;
  msrFilter: MsrFilter | null;
  tscKhz: number;
  /** The VM's file, its vCPUs' files and its guest_memfd files each hold one. */
  users: number;
  bugged: boolean;
  dead: boolean;
}

export function makeVm(
  kvm: Kvm,
  type: number,
  process: Process,
  td: Td | null,
  defaults: { maxVcpuIds: number; tscKhz: number },
): Vm {
  return {
    kvm,
    type,
    process,
    td,
    ...defaults,
    lock: new Mutex('kvm->lock'),
    slotsLock: new Mutex('kvm->slots_lock'),
    mmuLock: new RwLock('kvm->mmu_lock'),
    vcpus: [],
    createdVcpus: 0,
    slots: new Map(),
    attributes: new MemoryAttributes(),
    invalidateSeq: 0,
    invalidating: 0,
    irqchip: 'none',
    hypercallExits: 0n,
    userSpaceMsr: 0,
    msrFilter: null,
    users: 1,
    bugged: false,
    dead: false,
  };
}

export const isTd = (vm: Vm): boolean => vm.type === KVM_X86_TDX_VM;

/** kvm_vm_dead: no ioctl works any more and running vCPUs leave with -EIO. */
export function vmDead(current: Thread, vm: Vm): void {
  vm.dead = true;
  for (const vcpu of vm.vcpus) kick(current, vcpu);
}

/** KVM_BUG_ON: something happened that must not. Returns -EIO for the caller to pass on. */
export function vmBugged(current: Thread, vm: Vm, why: string): number {
  current.cpu.lp.endEvent(current.cpu.lp.beginEvent('log', 'KVM_BUG_ON', { why }));
  vm.bugged = true;
  vmDead(current, vm);
  return -EIO;
}
