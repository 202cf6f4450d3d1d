import { copy_from_user, copy_to_user, type Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { E2BIG, EFAULT } from '../../spec/errno.ts';
import { kvm_msr_entry, kvm_msrs } from '../../spec/kvm-uapi.ts';
import { isEmulated, readMsr } from '../msr.ts';
import type { VcpuIoctl } from './ioctls.ts';
import type { Vcpu } from './vcpu.ts';

/** KVM takes no more at a time. */
const MAX_IO_MSRS = 256;

/** One entry; false ends the list. */
type Access = (vcpu: Vcpu, entries: Uint8Array, at: number) => boolean;

const read: Access = (vcpu, entries, at) => {
  const index = kvm_msr_entry.index.get(entries, at);
  if (!isEmulated(index, false)) return false;
  kvm_msr_entry.data.set(entries, readMsr(vcpu, index), at);
  return true;
};

const write: Access = (vcpu, entries, at) => {
  const index = kvm_msr_entry.index.get(entries, at);
  if (!isEmulated(index, true)) return false;
  vcpu.msrs.set(index, kvm_msr_entry.data.get(entries, at));
  return true;
};

/** msr_io: the number of entries that were done. */
function* io(current: Thread, vcpu: Vcpu, arg: bigint, access: Access, writeBack: boolean): Software<number> {
  const header = copy_from_user(current, arg, kvm_msrs.SIZE);
  if (!header) return -EFAULT;
  const count = kvm_msrs.nmsrs.get(header);
  if (count >= MAX_IO_MSRS) return -E2BIG;
  const at = arg + BigInt(kvm_msrs.SIZE);
  const entries = copy_from_user(current, at, count * kvm_msr_entry.SIZE);
  if (!entries) return -EFAULT;
  let done = 0;
  while (done < count && access(vcpu, entries, done * kvm_msr_entry.SIZE)) done++;
  return writeBack && copy_to_user(current, at, entries) < 0 ? -EFAULT : done;
}

export const getMsrs: VcpuIoctl = (current, vcpu, arg) => io(current, vcpu, arg, read, true);
export const setMsrs: VcpuIoctl = (current, vcpu, arg) => io(current, vcpu, arg, write, false);
