import { copy_from_user } from '../../linux/index.ts';
import { EFAULT, EINVAL } from '../../spec/errno.ts';
import { KVM_MEMORY_ATTRIBUTE_PRIVATE, kvm_memory_attributes } from '../../spec/kvm-uapi.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { unmapGfns } from '../mmu/unmap.ts';
import type { VmIoctl } from './index.ts';
import { isTd } from './vm.ts';

const PAGE = BigInt(PAGE_SIZE);

/** Makes GFNs private or shared. What the new kind contradicts is unmapped first. */
export const setMemoryAttributes: VmIoctl = function* (current, vm, arg) {
  const bytes = copy_from_user(current, arg, kvm_memory_attributes.SIZE);
  if (!bytes) return -EFAULT;
  const { address, size, attributes, flags } = kvm_memory_attributes;
  const from = address.get(bytes);
  const length = size.get(bytes);
  const wanted = attributes.get(bytes);
  const supported = isTd(vm) ? BigInt(KVM_MEMORY_ATTRIBUTE_PRIVATE) : 0n;
  if (flags.get(bytes) !== 0n) return -EINVAL;
  if ((wanted & ~supported) !== 0n) return -EINVAL;
  if (length === 0n || BigInt.asUintN(64, from + length) < from) return -EINVAL;
  if (from % PAGE !== 0n || length % PAGE !== 0n) return -EINVAL;
  const start = Number(from / PAGE);
  const end = Number((from + length) / PAGE);
  const isPrivate = wanted !== 0n;
  yield* vm.slotsLock.lock();
  if (!vm.attributes.all(start, end, isPrivate)) {
    vm.invalidating++;
    yield* unmapGfns(current, vm, start, end, isPrivate ? 'shared' : 'private');
    vm.attributes.set(start, end, isPrivate);
    vm.invalidateSeq++;
    vm.invalidating--;
  }
  vm.slotsLock.unlock();
  return 0;
};
