import { copy_from_user, copy_to_user, type Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EFAULT, EINTR, EINVAL, EIO, EOPNOTSUPP } from '../../spec/errno.ts';
import { kvm_pre_fault_memory } from '../../spec/kvm-uapi.ts';
import { condResched } from '../locks.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { pageFault } from '../mmu/fault.ts';
import { loadRoots } from '../mmu/roots.ts';
import { gpaIsPrivate } from '../tdx/td.ts';
import type { VcpuIoctl } from './ioctls.ts';
import type { Vcpu } from './vcpu.ts';

const PAGE = BigInt(PAGE_SIZE);

/** Maps guest memory before the guest touches it; the structure shows what is left. */
export const preFaultMemory: VcpuIoctl = function* (current, vcpu, arg) {
  const layout = kvm_pre_fault_memory;
  const bytes = copy_from_user(current, arg, layout.SIZE);
  if (!bytes) return -EFAULT;
  if (layout.flags.get(bytes) !== 0n) return -EINVAL;
  const start = layout.gpa.get(bytes);
  const size = layout.size.get(bytes);
  if (start % PAGE !== 0n || size % PAGE !== 0n || BigInt.asUintN(64, start + size) <= start) return -EINVAL;
  let errno = 0;
  let gpa = start;
  while (errno === 0 && gpa < start + size) {
    errno = current.signal_pending ? -EINTR : yield* preFaultPage(current, vcpu, Number(gpa));
    if (errno === 0) gpa += PAGE;
  }
  layout.gpa.set(bytes, gpa);
  layout.size.set(bytes, start + size - gpa);
  if (copy_to_user(current, arg, bytes) < 0) return -EFAULT;
  return gpa > start ? 0 : errno;
};

function* preFaultPage(current: Thread, vcpu: Vcpu, gpa: number): Software<number> {
  const td = vcpu.vm.td;
  if (td?.state !== 'runnable') return -EOPNOTSUPP;
  if (!gpaIsPrivate(td, gpa)) return -EINVAL;
  const errno = loadRoots(current, td);
  if (errno < 0) return errno;
  const gfn = gpa / PAGE_SIZE;
  for (;;) {
    const result = yield* pageFault(current, vcpu, gfn, vcpu.vm.attributes.isPrivate(gfn));
    if (typeof result === 'number') return result;
    if (result !== 'retry') return 0;
    if (current.signal_pending) return -EINTR;
    if (vcpu.vm.dead) return -EIO;
    yield* condResched(current);
  }
}
