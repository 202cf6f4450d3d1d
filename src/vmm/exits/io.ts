import { KVM_EXIT_IO_OUT, kvm_run } from '../../spec/kvm-uapi.ts';
import type { ExitHandler } from './index.ts';

export const io: ExitHandler = function* ({ syscalls, machine, vcpu, run }) {
  const { direction, size, port, data_offset } = kvm_run.io;
  const bytes = size.get(run);
  const at = vcpu.run + Number(data_offset.get(run));
  const where = { port: port.get(run), size: bytes };
  if (direction.get(run) === KVM_EXIT_IO_OUT) {
    const value = syscalls.read(at, bytes).reduceRight((sum, byte) => sum * 256 + byte, 0);
    machine.bus.out(where.port, bytes, value);
    return { detail: { direction: 'out', ...where, value } };
  }
  const value = machine.bus.in(where.port, bytes);
  syscalls.write(
    at,
    Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) % 256),
  );
  return { detail: { direction: 'in', ...where, value } };
};
