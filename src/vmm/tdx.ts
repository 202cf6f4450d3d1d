import type { Software } from '../platform/software.ts';
import { type CpuidEntry, readEntries, writeEntries } from '../spec/cpuid-entry.ts';
import { EINTR } from '../spec/errno.ts';
import {
  KVM_MAX_CPUID_ENTRIES,
  KVM_MEMORY_ENCRYPT_OP,
  KVM_TDX_CAPABILITIES,
  KVM_TDX_FINALIZE_VM,
  KVM_TDX_INIT_MEM_REGION,
  KVM_TDX_INIT_VCPU,
  KVM_TDX_INIT_VM,
  KVM_TDX_MEASURE_MEMORY_REGION,
  kvm_cpuid_entry2,
  kvm_tdx_capabilities,
  kvm_tdx_cmd,
  kvm_tdx_init_mem_region,
  kvm_tdx_init_vm,
  TDX_COMMAND_NAMES,
} from '../spec/kvm-uapi.ts';
import { CallFailed } from './call.ts';
import type { Scratch } from './scratch.ts';
import type { Syscalls } from './syscalls.ts';

/** KVM_MEMORY_ENCRYPT_OP: 0 or -errno. */
export function* tdxCommand(
  syscalls: Syscalls,
  fd: number,
  { id, flags = 0, data = 0n }: { readonly id: number; readonly flags?: number; readonly data?: bigint },
  scratch: Scratch,
): Software<number> {
  const bytes = new Uint8Array(kvm_tdx_cmd.SIZE);
  kvm_tdx_cmd.id.set(bytes, id);
  kvm_tdx_cmd.flags.set(bytes, flags);
  kvm_tdx_cmd.data.set(bytes, data);
  syscalls.write(scratch.command, bytes);
  return yield* syscalls.ioctl(fd, KVM_MEMORY_ENCRYPT_OP, BigInt(scratch.command));
}

function* mustTdx(syscalls: Syscalls, fd: number, command: Parameters<typeof tdxCommand>[2], scratch: Scratch): Software {
  const errno = yield* tdxCommand(syscalls, fd, command, scratch);
  if (errno < 0) throw new CallFailed(TDX_COMMAND_NAMES.get(command.id)!, errno);
}

export interface TdxCapabilities {
  readonly supportedAttrs: bigint;
  readonly supportedXfam: bigint;
  readonly cpuid: readonly CpuidEntry[];
}

export function* tdxCapabilities(syscalls: Syscalls, vmFd: number, scratch: Scratch): Software<TdxCapabilities> {
  const { cpuid, supported_attrs, supported_xfam, SIZE } = kvm_tdx_capabilities;
  const bytes = new Uint8Array(SIZE + KVM_MAX_CPUID_ENTRIES * kvm_cpuid_entry2.SIZE);
  cpuid.nent.set(bytes, KVM_MAX_CPUID_ENTRIES);
  syscalls.write(scratch.data, bytes);
  yield* mustTdx(syscalls, vmFd, { id: KVM_TDX_CAPABILITIES, data: BigInt(scratch.data) }, scratch);
  const out = syscalls.read(scratch.data, bytes.length);
  return {
    supportedAttrs: supported_attrs.get(out),
    supportedXfam: supported_xfam.get(out),
    cpuid: readEntries(out, SIZE, cpuid.nent.get(out)),
  };
}

/** What INIT_VM takes. Digests are 48 bytes. */
export interface InitVm {
  readonly attributes: bigint;
  readonly xfam: bigint;
  readonly mrconfigid?: Uint8Array | undefined;
  readonly mrowner?: Uint8Array | undefined;
  readonly mrownerconfig?: Uint8Array | undefined;
  readonly cpuid: readonly CpuidEntry[];
}

/** struct kvm_tdx_init_vm with its entries. */
export function initVmBytes(init: InitVm): Uint8Array {
  const layout = kvm_tdx_init_vm;
  const entries = writeEntries(init.cpuid);
  const bytes = new Uint8Array(layout.SIZE + entries.length);
  layout.attributes.set(bytes, init.attributes);
  layout.xfam.set(bytes, init.xfam);
  for (const digest of ['mrconfigid', 'mrowner', 'mrownerconfig'] as const) {
    const value = init[digest];
    if (value) layout[digest].set(bytes, value);
  }
  layout.cpuid.nent.set(bytes, init.cpuid.length);
  bytes.set(entries, layout.SIZE);
  return bytes;
}

export function* initVm(syscalls: Syscalls, vmFd: number, init: InitVm, scratch: Scratch): Software {
  syscalls.write(scratch.data, initVmBytes(init));
  yield* mustTdx(syscalls, vmFd, { id: KVM_TDX_INIT_VM, data: BigInt(scratch.data) }, scratch);
}

export const initVcpu = (syscalls: Syscalls, vcpuFd: number, rcx: number, scratch: Scratch): Software =>
  mustTdx(syscalls, vcpuFd, { id: KVM_TDX_INIT_VCPU, data: BigInt(rcx) }, scratch);

export const finalizeVm = (syscalls: Syscalls, vmFd: number, scratch: Scratch): Software =>
  mustTdx(syscalls, vmFd, { id: KVM_TDX_FINALIZE_VM }, scratch);

/** Adds user memory to the TD; goes on after a signal where it was stopped. */
export function* initMemRegion(
  syscalls: Syscalls,
  vcpuFd: number,
  {
    source,
    gpa,
    pages,
    measure,
  }: { readonly source: number; readonly gpa: number; readonly pages: number; readonly measure: boolean },
  scratch: Scratch,
): Software {
  const bytes = new Uint8Array(kvm_tdx_init_mem_region.SIZE);
  kvm_tdx_init_mem_region.source_addr.set(bytes, BigInt(source));
  kvm_tdx_init_mem_region.gpa.set(bytes, BigInt(gpa));
  kvm_tdx_init_mem_region.nr_pages.set(bytes, BigInt(pages));
  syscalls.write(scratch.data, bytes);
  const flags = measure ? KVM_TDX_MEASURE_MEMORY_REGION : 0;
  for (;;) {
    const errno = yield* tdxCommand(
      syscalls,
      vcpuFd,
      { id: KVM_TDX_INIT_MEM_REGION, flags, data: BigInt(scratch.data) },
      scratch,
    );
    if (errno === 0) return;
    if (errno !== -EINTR) throw new CallFailed('KVM_TDX_INIT_MEM_REGION', errno);
  }
}
