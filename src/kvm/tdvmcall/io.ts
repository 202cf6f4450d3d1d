import { KVM_EXIT_IO, KVM_EXIT_IO_IN, KVM_EXIT_IO_OUT, kvm_run } from '../../spec/kvm-uapi.ts';
import { TDVMCALL_STATUS } from '../../spec/tdvmcall.ts';
import { PIO_OFFSET, setExitReason, setRun } from '../run.ts';
import type { TdvmcallHandler } from './index.ts';
import { arg, finish, setResult, setStatus } from './registers.ts';

const SIZES: readonly bigint[] = [1n, 2n, 4n];

/** Port I/O always goes to userspace: with a split irqchip KVM has no port device of its own. */
export const io: TdvmcallHandler = function* (current, vcpu) {
  const size = arg(vcpu, 'r12');
  const direction = arg(vcpu, 'r13');
  if (!SIZES.includes(size) || direction > 1n) return finish(vcpu, TDVMCALL_STATUS.INVALID_OPERAND);
  const bytes = Number(size);
  const data = vcpu.runPages[1]!;
  const isOut = direction === 1n;
  setExitReason(current, vcpu, KVM_EXIT_IO);
  setRun(current, vcpu, kvm_run.io.direction, isOut ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN);
  setRun(current, vcpu, kvm_run.io.size, bytes);
  setRun(current, vcpu, kvm_run.io.port, Number(arg(vcpu, 'r14') & 0xffffn));
  setRun(current, vcpu, kvm_run.io.count, 1);
  setRun(current, vcpu, kvm_run.io.data_offset, BigInt(PIO_OFFSET));
  if (isOut) current.lp.storeBytes(data, littleEndian(arg(vcpu, 'r15'), bytes));
  vcpu.complete = function* (now) {
    if (!isOut) setResult(vcpu, 'r11', fromLittleEndian(now.lp.loadBytes(data, bytes)));
    setStatus(vcpu, TDVMCALL_STATUS.SUCCESS);
    return 1;
  };
  return 0;
};

/** The low `length` bytes of a value. */
export function littleEndian(value: bigint, length: number): Uint8Array {
  return new Uint8Array(new BigUint64Array([value]).buffer, 0, length);
}

/** Zero-extended. */
export function fromLittleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
