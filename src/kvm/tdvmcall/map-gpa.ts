import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import {
  KVM_EXIT_HYPERCALL,
  KVM_EXIT_HYPERCALL_LONG_MODE,
  KVM_HC_MAP_GPA_RANGE,
  KVM_MAP_GPA_RANGE_DECRYPTED,
  KVM_MAP_GPA_RANGE_ENCRYPTED,
  kvm_run,
} from '../../spec/kvm-uapi.ts';
import { MAP_GPA_CHUNK, TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import { PAGE_SIZE } from '../mmu/ept.ts';
import { getRun, setExitReason, setRun } from '../run.ts';
import type { Vcpu } from '../vcpu/vcpu.ts';
import type { TdvmcallHandler } from './index.ts';
import { arg, finish, setResult } from './registers.ts';

const PAGE_MASK = BigInt(PAGE_SIZE - 1);
const WORD = 1n << 64n;

/** Userspace converts; KVM checks the range and hands it over in chunks, so that the guest is never away for long. */
export const mapGpa: TdvmcallHandler = function* (current, vcpu) {
  const gpa = arg(vcpu, 'r12');
  const size = arg(vcpu, 'r13');
  const status = refusal(vcpu, gpa, size);
  if (status !== null) {
    setResult(vcpu, 'r11', gpa);
    return finish(vcpu, status);
  }
  return mapChunk(current, vcpu, gpa, gpa + size);
};

/** Linux tests in this order: capability, range, alignment. */
function refusal(vcpu: Vcpu, gpa: bigint, size: bigint): bigint | null {
  const shared = BigInt(vcpu.vm.td!.sharedBit);
  const end = gpa + size;
  if ((vcpu.vm.hypercallExits & (1n << BigInt(KVM_HC_MAP_GPA_RANGE))) === 0n) return TDVMCALL_STATUS.SUBFUNC_UNSUPPORTED;
  const legal = size > 0n && end < WORD && end - 1n < shared * 2n;
  const sameHalf = (gpa & shared) === ((end - 1n) & shared);
  if (!legal || !sameHalf) return TDVMCALL_STATUS.INVALID_OPERAND;
  return ((gpa | size) & PAGE_MASK) === 0n ? null : TDVMCALL_STATUS.ALIGN_ERROR;
}

function mapChunk(current: Thread, vcpu: Vcpu, gpa: bigint, end: bigint): number {
  const shared = BigInt(vcpu.vm.td!.sharedBit);
  const bytes = end - gpa < BigInt(MAP_GPA_CHUNK) ? end - gpa : BigInt(MAP_GPA_CHUNK);
  const { hypercall } = kvm_run;
  setExitReason(current, vcpu, KVM_EXIT_HYPERCALL);
  setRun(current, vcpu, hypercall.nr, BigInt(KVM_HC_MAP_GPA_RANGE));
  setRun(current, vcpu, hypercall.ret, 0n);
  setRun(current, vcpu, hypercall.args.item(0), gpa & ~shared);
  setRun(current, vcpu, hypercall.args.item(1), bytes / BigInt(PAGE_SIZE));
  setRun(
    current,
    vcpu,
    hypercall.args.item(2),
    BigInt((gpa & shared) === 0n ? KVM_MAP_GPA_RANGE_ENCRYPTED : KVM_MAP_GPA_RANGE_DECRYPTED),
  );
  setRun(current, vcpu, hypercall.flags, BigInt(KVM_EXIT_HYPERCALL_LONG_MODE));
  vcpu.complete = (now) => completeChunk(now, vcpu, gpa, bytes, end);
  return 0;
}

function* completeChunk(current: Thread, vcpu: Vcpu, gpa: bigint, bytes: bigint, end: bigint): Software<number> {
  if (getRun(current, vcpu, kvm_run.hypercall.ret) !== 0n) {
    setResult(vcpu, 'r11', gpa);
    return finish(vcpu, TDVMCALL_STATUS.INVALID_OPERAND);
  }
  const next = gpa + bytes;
  if (next >= end) return 1;
  if (current.signal_pending) {
    setResult(vcpu, 'r11', next);
    return finish(vcpu, TDVMCALL_STATUS.RETRY);
  }
  return mapChunk(current, vcpu, next, end);
}
