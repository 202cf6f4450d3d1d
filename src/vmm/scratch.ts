import type { Software } from '../platform/software.ts';
import { KVM_MAX_CPUID_ENTRIES, kvm_cpuid_entry2, kvm_tdx_capabilities } from '../spec/kvm-uapi.ts';
import { must } from './call.ts';
import type { Syscalls } from './syscalls.ts';

/** The largest structure that the VMM passes. */
const BYTES = kvm_tdx_capabilities.SIZE + KVM_MAX_CPUID_ENTRIES * kvm_cpuid_entry2.SIZE;

/** User memory for ioctl structures, of one thread's own. The first bytes are the command's. */
export interface Scratch {
  /** struct kvm_tdx_cmd goes here. */
  readonly command: number;
  /** Everything else goes here. */
  readonly data: number;
}

const COMMAND_BYTES = 64;

export function* allocateScratch(syscalls: Syscalls): Software<Scratch> {
  const command = yield* must('mmap', syscalls.mmap(COMMAND_BYTES + BYTES));
  return { command, data: command + COMMAND_BYTES };
}
