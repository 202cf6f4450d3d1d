import { copy_from_user, File } from '../../linux/index.ts';
import { EFAULT, EINVAL } from '../../spec/errno.ts';
import { kvm_create_guest_memfd } from '../../spec/kvm-uapi.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { GuestMemfd } from '../mmu/guest-memfd.ts';
import { gmemFlags } from '../system/check-extension.ts';
import type { VmIoctl } from './index.ts';

/** A guest_memfd's file descriptor. */
export const createGuestMemfd: VmIoctl = function* (current, vm, arg) {
  const bytes = copy_from_user(current, arg, kvm_create_guest_memfd.SIZE);
  if (!bytes) return -EFAULT;
  const flags = kvm_create_guest_memfd.flags.get(bytes);
  if ((flags & ~BigInt(gmemFlags(vm))) !== 0n) return -EINVAL;
  const size = BigInt.asIntN(64, kvm_create_guest_memfd.size.get(bytes));
  if (size <= 0n || size % BigInt(PAGE_SIZE) !== 0n) return -EINVAL;
  vm.users++;
  const gmem = new GuestMemfd(vm, Number(size));
  return current.process.files.install(new File(gmem, gmem));
};
