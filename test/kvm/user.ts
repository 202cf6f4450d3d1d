import type { Process, Thread } from '../../src/linux/index.ts';
import type { Software } from '../../src/platform/index.ts';
import type { CpuidEntry } from '../../src/spec/cpuid-entry.ts';
import {
  KVM_CAP_EXIT_HYPERCALL,
  KVM_CAP_SPLIT_IRQCHIP,
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_ENABLE_CAP,
  KVM_HC_MAP_GPA_RANGE,
  KVM_SET_CPUID2,
  KVM_X86_TDX_VM,
  kvm_enable_cap,
  kvm_run,
} from '../../src/spec/kvm-uapi.ts';
import { ATTRIBUTES, XFAM } from '../../src/spec/layouts.ts';
import { cpuid2, supportedCpuid, tdCpuid, vcpuCpuid } from '../../src/vmm/cpuid.ts';
import { addSlot, type Slot } from '../../src/vmm/memory.ts';
import { allocateScratch, type Scratch } from '../../src/vmm/scratch.ts';
import { initVmBytes, tdxCapabilities, tdxCommand } from '../../src/vmm/tdx.ts';

/** What a test's user program holds: a thread, a VM and memory for structures. Every method returns what the ioctl did. */
export class TdUser {
  readonly thread: Thread;
  readonly scratch: Scratch;
  readonly kvmFd: number;
  readonly vmFd: number;

  constructor(thread: Thread, scratch: Scratch, kvmFd: number, vmFd: number) {
    this.thread = thread;
    this.scratch = scratch;
    this.kvmFd = kvmFd;
    this.vmFd = vmFd;
  }

  static *open(thread: Thread, type: number = KVM_X86_TDX_VM): Software<TdUser> {
    const scratch = yield* allocateScratch(thread);
    const kvmFd = yield* thread.open('/dev/kvm');
    const vmFd = yield* thread.ioctl(kvmFd, KVM_CREATE_VM, BigInt(type));
    return new TdUser(thread, scratch, kvmFd, vmFd);
  }

  get process(): Process {
    return this.thread.process;
  }

  /** An ioctl with a structure at the scratch memory. */
  *with(fd: number, request: number, bytes: Uint8Array): Software<number> {
    this.thread.write(this.scratch.data, bytes);
    return yield* this.thread.ioctl(fd, request, BigInt(this.scratch.data));
  }

  *enableCap(cap: number, value: bigint, flags = 0): Software<number> {
    const bytes = new Uint8Array(kvm_enable_cap.SIZE);
    kvm_enable_cap.cap.set(bytes, cap);
    kvm_enable_cap.flags.set(bytes, flags);
    kvm_enable_cap.args.set(bytes, 0, value);
    return yield* this.with(this.vmFd, KVM_ENABLE_CAP, bytes);
  }

  *enableAll(): Software {
    yield* this.enableCap(KVM_CAP_SPLIT_IRQCHIP, 24n);
    yield* this.enableCap(KVM_CAP_EXIT_HYPERCALL, 1n << BigInt(KVM_HC_MAP_GPA_RANGE));
  }

  *command(fd: number, id: number, options: { flags?: number; data?: bigint } = {}): Software<number> {
    return yield* tdxCommand(this.thread, fd, { id, ...options }, this.scratch);
  }

  /** CPUID configuration that INIT_VM accepts. */
  *cpuid(): Software<CpuidEntry[]> {
    const host = yield* supportedCpuid(this.thread, this.kvmFd, this.scratch.data);
    const { cpuid } = yield* tdxCapabilities(this.thread, this.vmFd, this.scratch);
    return tdCpuid(cpuid, host, 48);
  }

  /** struct kvm_tdx_init_vm that works, for a test to break. */
  *initBytes(
    change: { attributes?: bigint; xfam?: bigint; cpuid?: (entries: CpuidEntry[]) => CpuidEntry[] } = {},
  ): Software<Uint8Array> {
    const entries = yield* this.cpuid();
    return initVmBytes({
      attributes: change.attributes ?? ATTRIBUTES.SEPT_VE_DISABLE,
      xfam: change.xfam ?? XFAM.X87 | XFAM.SSE,
      cpuid: change.cpuid?.(entries) ?? entries,
    });
  }

  *initVm(bytes: Uint8Array, flags = 0): Software<number> {
    this.thread.write(this.scratch.data, bytes);
    return yield* this.command(this.vmFd, 1, { flags, data: BigInt(this.scratch.data) });
  }

  /** A TD with parameters, split irqchip and MapGPA exits. */
  *initialize(): Software<number> {
    yield* this.enableAll();
    return yield* this.initVm(yield* this.initBytes());
  }

  *createVcpu(id: number): Software<number> {
    return yield* this.thread.ioctl(this.vmFd, KVM_CREATE_VCPU, BigInt(id));
  }

  *setCpuid(vcpuFd: number): Software<number> {
    return yield* this.with(
      vcpuFd,
      KVM_SET_CPUID2,
      cpuid2(vcpuCpuid(yield* supportedCpuid(this.thread, this.kvmFd, this.scratch.data))),
    );
  }

  /** A vCPU that is ready: created, with CPUID, initialised. */
  *readyVcpu(id: number): Software<number> {
    const fd = yield* this.createVcpu(id);
    yield* this.setCpuid(fd);
    const errno = yield* this.command(fd, 2);
    return errno < 0 ? errno : fd;
  }

  *slot(id: number, gpa: number, length: number): Software<Slot> {
    return yield* addSlot(this.thread, this.vmFd, { id, gpa, length }, this.scratch.data);
  }

  /** Reads a vCPU's kvm_run. */
  run(va: number): Uint8Array {
    return this.thread.read(va, kvm_run.kvm_valid_regs.offset);
  }
}
