import type { Software } from '../platform/software.ts';
import {
  KVM_CREATE_GUEST_MEMFD,
  KVM_MEM_GUEST_MEMFD,
  KVM_MEMORY_ATTRIBUTE_PRIVATE,
  KVM_SET_MEMORY_ATTRIBUTES,
  KVM_SET_USER_MEMORY_REGION2,
  kvm_create_guest_memfd,
  kvm_memory_attributes,
  kvm_userspace_memory_region2,
} from '../spec/kvm-uapi.ts';
import { ioctlWith, must } from './call.ts';
import type { Syscalls } from './syscalls.ts';

/** A range of guest memory: private pages from a guest_memfd, shared pages from the VMM's own memory at `va`. */
export interface Slot {
  readonly id: number;
  readonly gpa: number;
  readonly length: number;
  readonly va: number;
  readonly gmem: number;
}

/** Creates a slot and makes all of it private. */
export function* addSlot(
  syscalls: Syscalls,
  vmFd: number,
  { id, gpa, length }: { readonly id: number; readonly gpa: number; readonly length: number },
  scratch: number,
): Software<Slot> {
  const va = yield* must('mmap', syscalls.mmap(length));
  const create = new Uint8Array(kvm_create_guest_memfd.SIZE);
  kvm_create_guest_memfd.size.set(create, BigInt(length));
  syscalls.write(scratch, create);
  const gmem = yield* must('KVM_CREATE_GUEST_MEMFD', syscalls.ioctl(vmFd, KVM_CREATE_GUEST_MEMFD, BigInt(scratch)));

  const region = new Uint8Array(kvm_userspace_memory_region2.SIZE);
  kvm_userspace_memory_region2.slot.set(region, id);
  kvm_userspace_memory_region2.flags.set(region, KVM_MEM_GUEST_MEMFD);
  kvm_userspace_memory_region2.guest_phys_addr.set(region, BigInt(gpa));
  kvm_userspace_memory_region2.memory_size.set(region, BigInt(length));
  kvm_userspace_memory_region2.userspace_addr.set(region, BigInt(va));
  kvm_userspace_memory_region2.guest_memfd.set(region, gmem);
  yield* ioctlWith(syscalls, vmFd, [KVM_SET_USER_MEMORY_REGION2, 'KVM_SET_USER_MEMORY_REGION2'], region, scratch);
  yield* must('KVM_SET_MEMORY_ATTRIBUTES', setAttributes(syscalls, vmFd, { gpa, length, isPrivate: true }, scratch));
  return { id, gpa, length, va, gmem };
}

/** Makes a range private or shared: 0 or -errno. */
export function* setAttributes(
  syscalls: Syscalls,
  vmFd: number,
  { gpa, length, isPrivate }: { readonly gpa: number; readonly length: number; readonly isPrivate: boolean },
  scratch: number,
): Software<number> {
  const bytes = new Uint8Array(kvm_memory_attributes.SIZE);
  kvm_memory_attributes.address.set(bytes, BigInt(gpa));
  kvm_memory_attributes.size.set(bytes, BigInt(length));
  kvm_memory_attributes.attributes.set(bytes, isPrivate ? BigInt(KVM_MEMORY_ATTRIBUTE_PRIVATE) : 0n);
  syscalls.write(scratch, bytes);
  return yield* syscalls.ioctl(vmFd, KVM_SET_MEMORY_ATTRIBUTES, BigInt(scratch));
}

/** The VMM's own address of a guest-physical address. */
export function userAddress(slots: readonly Slot[], gpa: number): number | undefined {
  const slot = slots.find((candidate) => gpa >= candidate.gpa && gpa < candidate.gpa + candidate.length);
  return slot && slot.va + (gpa - slot.gpa);
}
