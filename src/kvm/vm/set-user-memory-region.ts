import { copy_from_user, type Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EBADF, EEXIST, EFAULT, EINVAL } from '../../spec/errno.ts';
import {
  KVM_MEM_GUEST_MEMFD,
  KVM_MEM_LOG_DIRTY_PAGES,
  KVM_MEM_MAX_NR_PAGES,
  KVM_MEM_READONLY,
  KVM_MEM_SLOTS_NUM,
  kvm_userspace_memory_region,
  kvm_userspace_memory_region2,
} from '../../spec/kvm-uapi.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { GuestMemfd } from '../mmu/guest-memfd.ts';
import type { Memslot } from '../mmu/memslot.ts';
import { unmapGfns } from '../mmu/unmap.ts';
import type { VmIoctl } from './index.ts';
import { isTd, type Vm } from './vm.ts';

/** The structure as values; the fields of version 2 are 0 in version 1. */
interface Region {
  readonly slot: number;
  readonly flags: number;
  readonly gpa: bigint;
  readonly size: bigint;
  readonly userspaceAddr: bigint;
  readonly gmemOffset: bigint;
  readonly gmemFd: number;
}

const PAGE = BigInt(PAGE_SIZE);
const V1_FLAGS = KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY;
/** Canonical user addresses (access_ok). */
const TASK_SIZE_MAX = 1n << 47n;
/** GFNs that x86 KVM can map: 52 physical address bits. */
const MAX_GFN = 2 ** 40;

export const setUserMemoryRegion: VmIoctl = function* (current, vm, arg) {
  const layout = kvm_userspace_memory_region;
  const bytes = copy_from_user(current, arg, layout.SIZE);
  if (!bytes) return -EFAULT;
  if ((layout.flags.get(bytes) & ~V1_FLAGS) !== 0) return -EINVAL;
  return yield* setRegion(current, vm, { ...readRegion(bytes), gmemOffset: 0n, gmemFd: 0 });
};

export const setUserMemoryRegion2: VmIoctl = function* (current, vm, arg) {
  const layout = kvm_userspace_memory_region2;
  const bytes = copy_from_user(current, arg, layout.SIZE);
  if (!bytes) return -EFAULT;
  const gmem = { gmemOffset: layout.guest_memfd_offset.get(bytes), gmemFd: layout.guest_memfd.get(bytes) };
  return yield* setRegion(current, vm, { ...readRegion(bytes), ...gmem });
};

/** What both versions have at the same place. */
const readRegion = (bytes: Uint8Array) => {
  const { slot, flags, guest_phys_addr, memory_size, userspace_addr } = kvm_userspace_memory_region2;
  return {
    slot: slot.get(bytes),
    flags: flags.get(bytes),
    gpa: guest_phys_addr.get(bytes),
    size: memory_size.get(bytes),
    userspaceAddr: userspace_addr.get(bytes),
  };
};

function* setRegion(current: Thread, vm: Vm, region: Region): Software<number> {
  yield* vm.slotsLock.lock();
  const result = yield* change(current, vm, region);
  vm.slotsLock.unlock();
  return result;
}

function allowedFlags(vm: Vm, flags: number): number {
  if (isTd(vm)) return (flags & KVM_MEM_GUEST_MEMFD) !== 0 ? KVM_MEM_GUEST_MEMFD : KVM_MEM_LOG_DIRTY_PAGES;
  return KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY;
}

/** __kvm_set_memory_region's checks of the structure alone, in its order. */
function isMalformed(vm: Vm, region: Region): boolean {
  const { slot, flags, gpa, size, userspaceAddr, gmemOffset } = region;
  if ((flags & ~allowedFlags(vm, flags)) !== 0) return true;
  if (size % PAGE !== 0n || gpa % PAGE !== 0n) return true;
  if (userspaceAddr % PAGE !== 0n || userspaceAddr + size > TASK_SIZE_MAX) return true;
  if ((flags & KVM_MEM_GUEST_MEMFD) !== 0 && (gmemOffset % PAGE !== 0n || BigInt.asUintN(64, gmemOffset + size) < gmemOffset))
    return true;
  if (slot >>> 16 !== 0 || (slot & 0xffff) >= KVM_MEM_SLOTS_NUM) return true;
  return BigInt.asUintN(64, gpa + size) < gpa || size / PAGE > BigInt(KVM_MEM_MAX_NR_PAGES);
}

function* change(current: Thread, vm: Vm, region: Region): Software<number> {
  if (isMalformed(vm, region)) return -EINVAL;
  const old = vm.slots.get(region.slot);
  if (region.size === 0n) return old ? yield* remove(current, vm, old) : -EINVAL;
  const baseGfn = Number(region.gpa / PAGE);
  const npages = Number(region.size / PAGE);
  if (old && isImmutableChange(old, region, npages)) return -EINVAL;
  if (old?.baseGfn === baseGfn && old.flags === region.flags) return 0;
  const isMoving = old?.baseGfn !== baseGfn;
  if (isMoving && [...vm.slots.values()].some((slot) => slot !== old && overlaps(slot, baseGfn, npages))) return -EEXIST;
  const gmem = (region.flags & KVM_MEM_GUEST_MEMFD) !== 0 ? bindTarget(current, vm, region, npages) : null;
  if (typeof gmem === 'number') return gmem;
  if (isMoving && isUnmappable(vm, baseGfn + npages - 1)) return -EINVAL;
  if (old && isMoving) yield* unmapGfns(current, vm, old.baseGfn, old.baseGfn + old.npages, 'both');
  const slot: Memslot = {
    id: region.slot,
    baseGfn,
    npages,
    userspaceAddr: Number(region.userspaceAddr),
    flags: region.flags,
    gmem,
  };
  vm.slots.set(slot.id, slot);
  gmem?.file.bind(slot);
  return 0;
}

const overlaps = (slot: Memslot, baseGfn: number, npages: number): boolean =>
  baseGfn < slot.baseGfn + slot.npages && slot.baseGfn < baseGfn + npages;

/** A slot with private memory never changes; the others may only move, or change their dirty log. */
function isImmutableChange(old: Memslot, region: Region, npages: number): boolean {
  if ((region.flags & KVM_MEM_GUEST_MEMFD) !== 0) return true;
  const flipped = old.flags ^ region.flags;
  return (
    old.userspaceAddr !== Number(region.userspaceAddr) ||
    old.npages !== npages ||
    (flipped & (KVM_MEM_READONLY | KVM_MEM_GUEST_MEMFD)) !== 0
  );
}

/** kvm_gmem_bind's checks. */
function bindTarget(current: Thread, vm: Vm, region: Region, npages: number): { file: GuestMemfd; pgoff: number } | number {
  const file = current.process.files.get(region.gmemFd);
  if (!file) return -EBADF;
  const gmem = file.f_op;
  const pgoff = Number(region.gmemOffset / PAGE);
  if (!(gmem instanceof GuestMemfd) || gmem.vm !== vm || pgoff + npages > gmem.npages || gmem.isBound(pgoff, npages))
    return -EINVAL;
  return { file: gmem, pgoff };
}

/** The last GFN is too high, or (once INIT_VM has decided where it is) has the shared bit. */
function isUnmappable(vm: Vm, lastGfn: number): boolean {
  const sharedGfn = (vm.td?.sharedBit ?? 0) / PAGE_SIZE;
  return lastGfn >= MAX_GFN || (sharedGfn > 0 && Math.floor(lastGfn / sharedGfn) % 2 === 1);
}

function* remove(current: Thread, vm: Vm, slot: Memslot): Software<number> {
  vm.slots.delete(slot.id);
  yield* unmapGfns(current, vm, slot.baseGfn, slot.baseGfn + slot.npages, 'both');
  slot.gmem?.file.unbind(slot);
  return 0;
}
