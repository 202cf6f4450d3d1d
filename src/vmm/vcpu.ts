import type { Software } from '../platform/software.ts';
import { EAGAIN, EFAULT, EINTR } from '../spec/errno.ts';
import { EXIT_REASON_NAMES, KVM_EXIT_MEMORY_FAULT, KVM_RUN, kvm_run } from '../spec/kvm-uapi.ts';
import { handleExit } from './exits/index.ts';
import type { TdMachine } from './machine.ts';
import type { StopReason } from './options.ts';
import { allocateScratch } from './scratch.ts';
import type { Syscalls, ThreadHandle } from './syscalls.ts';

/** A vCPU as the VMM knows it. */
export interface Vcpu {
  readonly index: number;
  readonly fd: number;
  /** Where kvm_run is mapped. */
  readonly run: number;
  thread: ThreadHandle | null;
}

/** A vCPU thread: KVM_RUN and its exits until the TD stops. */
export function* vcpuThread(syscalls: Syscalls, machine: TdMachine, vcpu: Vcpu): Software {
  const scratch = yield* allocateScratch(syscalls);
  while (!machine.stopped) {
    const result = yield* syscalls.ioctl(vcpu.fd, KVM_RUN, 0n);
    if (machine.stopped || result === -EINTR || result === -EAGAIN) continue;
    const run = syscalls.read(vcpu.run, kvm_run.kvm_valid_regs.offset);
    const reason = kvm_run.exit_reason.get(run);
    const isFault = result === -EFAULT && reason === KVM_EXIT_MEMORY_FAULT;
    const stop: StopReason | null =
      result < 0 && !isFault
        ? { kind: 'call-failed', call: 'KVM_RUN', errno: result }
        : yield* handleExit({ syscalls, machine, vcpu, run, scratch }, EXIT_REASON_NAMES.get(reason) ?? `exit ${reason}`, reason);
    if (stop) yield* stopMachine(syscalls, machine, vcpu, stop);
    else if (machine.options.isOff?.()) yield* stopMachine(syscalls, machine, vcpu, { kind: 'power-off' });
  }
}

/** The first reason counts. The other vCPUs leave KVM_RUN: immediate_exit keeps out who is about to enter it, the signal wakes who is inside. */
function* stopMachine(syscalls: Syscalls, machine: TdMachine, vcpu: Vcpu, reason: StopReason): Software {
  if (machine.stopped) return;
  machine.stopped = reason;
  for (const other of machine.vcpus) {
    if (other === vcpu || !other.thread) continue;
    syscalls.write(other.run + kvm_run.immediate_exit.offset, Uint8Array.of(1));
    yield* syscalls.kill(other.thread);
  }
}
