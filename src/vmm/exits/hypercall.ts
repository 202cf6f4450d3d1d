import { EINVAL } from '../../spec/errno.ts';
import { KVM_HC_MAP_GPA_RANGE, KVM_MAP_GPA_RANGE_ENCRYPTED, kvm_run } from '../../spec/kvm-uapi.ts';
import { setAttributes } from '../memory.ts';
import type { ExitHandler } from './index.ts';

const PAGE_BYTES = 4096;

/** MapGPA: the guest asks for its memory to become private or shared. */
export const hypercall: ExitHandler = function* ({ syscalls, machine, vcpu, run, scratch }) {
  const { nr, args, ret } = kvm_run.hypercall;
  const gpa = Number(args.get(run, 0));
  const length = Number(args.get(run, 1)) * PAGE_BYTES;
  const isPrivate = (args.get(run, 2) & BigInt(KVM_MAP_GPA_RANGE_ENCRYPTED)) !== 0n;
  const isMapGpa = nr.get(run) === BigInt(KVM_HC_MAP_GPA_RANGE);
  const errno = isMapGpa ? yield* setAttributes(syscalls, machine.vmFd, { gpa, length, isPrivate }, scratch.data) : -EINVAL;
  const result = new Uint8Array(ret.size);
  ret.store(result, 0, BigInt.asUintN(64, BigInt(errno)));
  syscalls.write(vcpu.run + ret.offset, result);
  return { detail: { call: 'MAP_GPA_RANGE', gpa: `0x${gpa.toString(16)}`, length, to: isPrivate ? 'private' : 'shared', errno } };
};
