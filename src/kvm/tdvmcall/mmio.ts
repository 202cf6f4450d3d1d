import { KVM_EXIT_MMIO, kvm_run } from '../../spec/kvm-uapi.ts';
import { TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import { getRun, setExitReason, setRun } from '../run.ts';
import { gpaIsPrivate } from '../tdx/td.ts';
import type { TdvmcallHandler } from './index.ts';
import { fromLittleEndian, littleEndian } from './io.ts';
import { arg, finish, intArg, setResult, setStatus } from './registers.ts';

const SIZES: readonly number[] = [1, 2, 4, 8];

/** KVM has no MMIO device of its own here, so every access goes to userspace, its address without the shared bit. */
export const mmio: TdvmcallHandler = function* (current, vcpu) {
  const td = vcpu.vm.td!;
  const size = intArg(vcpu, 'r12');
  const write = intArg(vcpu, 'r13');
  const gpa = arg(vcpu, 'r14');
  const valid = SIZES.includes(size) && (write === 0 || write === 1);
  if (!valid || gpaIsPrivate(td, Number(gpa)) || gpaIsPrivate(td, Number(gpa) + size - 1))
    return finish(vcpu, TDVMCALL_STATUS.INVALID_OPERAND);
  setExitReason(current, vcpu, KVM_EXIT_MMIO);
  setRun(current, vcpu, kvm_run.mmio.phys_addr, gpa & ~BigInt(td.sharedBit));
  setRun(current, vcpu, kvm_run.mmio.len, size);
  setRun(current, vcpu, kvm_run.mmio.is_write, write);
  if (write) current.lp.storeBytes(vcpu.runPages[0]! + kvm_run.mmio.data.offset, littleEndian(arg(vcpu, 'r15'), size));
  vcpu.complete = function* (now) {
    if (!write) setResult(vcpu, 'r11', fromLittleEndian(getRun(now, vcpu, kvm_run.mmio.data).subarray(0, size)));
    setStatus(vcpu, TDVMCALL_STATUS.SUCCESS);
    return 1;
  };
  return 0;
};
