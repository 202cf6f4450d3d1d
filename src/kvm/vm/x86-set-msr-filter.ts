import { copy_from_user, type Thread } from '../../linux/index.ts';
import { EFAULT, EINVAL } from '../../spec/errno.ts';
import {
  KVM_MSR_FILTER_DEFAULT_DENY,
  KVM_MSR_FILTER_READ,
  KVM_MSR_FILTER_WRITE,
  kvm_msr_filter,
  kvm_msr_filter_range,
} from '../../spec/kvm-uapi.ts';
import type { MsrFilter } from '../msr.ts';
import type { VmIoctl } from './index.ts';

/** A range's bitmap may have this many bytes (KVM_MSR_FILTER_MAX_BITMAP_SIZE). */
const MAX_BITMAP_BYTES = 0x600;

export const x86SetMsrFilter: VmIoctl = function* (current, vm, arg) {
  const bytes = copy_from_user(current, arg, kvm_msr_filter.SIZE);
  if (!bytes) return -EFAULT;
  const flags = kvm_msr_filter.flags.get(bytes);
  if ((flags & ~KVM_MSR_FILTER_DEFAULT_DENY) !== 0) return -EINVAL;
  const ranges: MsrFilter['ranges'][number][] = [];
  for (let i = 0; i < kvm_msr_filter.ranges.count; i++) {
    const range = readRange(current, bytes, kvm_msr_filter.ranges.at(i));
    if (typeof range === 'number') return range;
    if (range) ranges.push(range);
  }
  const allowByDefault = (flags & KVM_MSR_FILTER_DEFAULT_DENY) === 0;
  if (ranges.length === 0 && !allowByDefault) return -EINVAL;
  vm.msrFilter = ranges.length === 0 ? null : { allowByDefault, ranges };
  return 0;
};

/** null: an unused slot. A bit that is 1 allows. */
function readRange(current: Thread, bytes: Uint8Array, at: number): MsrFilter['ranges'][number] | number | null {
  const { flags, nmsrs, base, bitmap } = kvm_msr_filter_range;
  const count = nmsrs.get(bytes, at);
  if (count === 0) return null;
  const bits = flags.get(bytes, at);
  const length = Math.ceil(count / 64) * 8;
  if ((bits & ~(KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)) !== 0 || length > MAX_BITMAP_BYTES) return -EINVAL;
  const map = copy_from_user(current, bitmap.get(bytes, at), length);
  if (!map) return -EFAULT;
  return {
    read: (bits & KVM_MSR_FILTER_READ) !== 0,
    write: (bits & KVM_MSR_FILTER_WRITE) !== 0,
    base: base.get(bytes, at),
    bits: Array.from({ length: count }, (_, i) => ((map[i >> 3]! >> (i & 7)) & 1) === 1),
  };
}
