import { kvm_run } from '../../spec/kvm-uapi.ts';
import type { ExitHandler } from './index.ts';

export const mmio: ExitHandler = function* ({ syscalls, machine, vcpu, run }) {
  const { phys_addr, data, len, is_write } = kvm_run.mmio;
  const gpa = Number(phys_addr.get(run));
  const size = len.get(run);
  const where = { gpa: `0x${gpa.toString(16)}`, size };
  if (is_write.get(run) !== 0) {
    const value = data
      .get(run)
      .subarray(0, size)
      .reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    machine.bus.write(gpa, size, value);
    return { detail: { direction: 'write', ...where, value: `0x${value.toString(16)}` } };
  }
  const value = machine.bus.read(gpa, size);
  syscalls.write(vcpu.run + data.offset, new Uint8Array(new BigUint64Array([value]).buffer, 0, size));
  return { detail: { direction: 'read', ...where, value: `0x${value.toString(16)}` } };
};
