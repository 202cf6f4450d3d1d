import { EFAULT } from '../../spec/errno.ts';
import { KVM_MEMORY_EXIT_FLAG_PRIVATE, kvm_run } from '../../spec/kvm-uapi.ts';
import { setAttributes, userAddress } from '../memory.ts';
import type { ExitHandler } from './index.ts';

/** The guest touched memory as the kind that it is not: an implicit conversion. */
export const memoryFault: ExitHandler = function* ({ syscalls, machine, run, scratch }) {
  const { flags, gpa, size } = kvm_run.memory_fault;
  const range = {
    gpa: Number(gpa.get(run)),
    length: Number(size.get(run)),
    isPrivate: (flags.get(run) & BigInt(KVM_MEMORY_EXIT_FLAG_PRIVATE)) !== 0n,
  };
  // Nothing to convert: the same fault would come for ever.
  if (range.isPrivate && userAddress(machine.slots, range.gpa) === undefined)
    return { detail: { gpa: `0x${range.gpa.toString(16)}` }, stop: { kind: 'call-failed', call: 'KVM_RUN', errno: -EFAULT } };
  const errno = yield* setAttributes(syscalls, machine.vmFd, range, scratch.data);
  const detail = { gpa: `0x${range.gpa.toString(16)}`, to: range.isPrivate ? 'private' : 'shared' };
  return errno < 0 ? { detail, stop: { kind: 'call-failed', call: 'KVM_SET_MEMORY_ATTRIBUTES', errno } } : { detail };
};
