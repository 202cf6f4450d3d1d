import type { Software } from '../platform/software.ts';
import { EINVAL } from '../spec/errno.ts';
import {
  KVM_API_VERSION,
  KVM_CAP_EXIT_HYPERCALL,
  KVM_CAP_MAX_VCPUS,
  KVM_CAP_NR_VCPUS,
  KVM_CAP_SPLIT_IRQCHIP,
  KVM_CAP_VM_TYPES,
  KVM_CHECK_EXTENSION,
  KVM_CREATE_VCPU,
  KVM_CREATE_VM,
  KVM_ENABLE_CAP,
  KVM_GET_API_VERSION,
  KVM_GET_VCPU_MMAP_SIZE,
  KVM_HC_MAP_GPA_RANGE,
  KVM_SET_CPUID2,
  KVM_X86_TDX_VM,
  kvm_enable_cap,
} from '../spec/kvm-uapi.ts';
import { ATTRIBUTES, XFAM } from '../spec/layouts.ts';
import { CallFailed, ioctlWith, must } from './call.ts';
import { cpuid2, supportedCpuid, tdCpuid, vcpuCpuid } from './cpuid.ts';
import { Bus } from './devices/index.ts';
import { addSections, placeSections } from './load-firmware.ts';
import { backedRanges, checkLoadable } from './loadable.ts';
import { addSlot, type Slot } from './memory.ts';
import { DEFAULT_MEMORY, DEFAULT_VCPUS, type StopReason, type VmmOptions } from './options.ts';
import { allocateScratch, type Scratch } from './scratch.ts';
import type { Syscalls } from './syscalls.ts';
import { parseTdvf, type TdvfImage } from './tdvf/index.ts';
import { finalizeVm, initVcpu, initVm, tdxCapabilities } from './tdx.ts';
import { type Vcpu, vcpuThread } from './vcpu.ts';

/** Extended state that the TD may use. */
const WANTED_XFAM = XFAM.X87 | XFAM.SSE | XFAM.AVX;

/**
 * A TD and the VMM program around it. Everything it wants it asks its kernel for, in the order that Linux 7.1 demands.
 * `create`, `run` and `destroy` are software of the VMM's main thread.
 */
export class TdMachine {
  readonly options: VmmOptions;
  readonly image: TdvfImage;
  readonly memory: number;
  readonly bus: Bus;
  readonly vcpus: Vcpu[] = [];
  slots: Slot[] = [];
  kvmFd = -1;
  vmFd = -1;
  /** Set once: why the TD stopped. */
  stopped: StopReason | null = null;
  #scratch!: Scratch;
  #cpuCount = 1;

  /** @throws {FirmwareError} when the image cannot be loaded; nothing has happened by then. */
  constructor(options: VmmOptions) {
    this.options = options;
    this.image = parseTdvf(options.firmware);
    this.memory = options.memory ?? DEFAULT_MEMORY;
    checkLoadable(this.image, this.memory);
    this.bus = new Bus(options.ports ?? [], options.mmio ?? []);
  }

  /** The whole life of the VMM: true when the TD was created, ran and stopped by itself. */
  *main(syscalls: Syscalls): Software<StopReason> {
    try {
      yield* this.create(syscalls);
      yield* this.run(syscalls);
    } catch (failure) {
      if (!(failure instanceof CallFailed)) throw failure;
      this.stopped ??= { kind: 'call-failed', call: failure.call, errno: failure.errno };
    }
    yield* this.destroy(syscalls);
    return this.stopped!;
  }

  /** From /dev/kvm to a TD that can run. A failing call throws {@link CallFailed}. */
  *create(syscalls: Syscalls): Software {
    this.#scratch = yield* allocateScratch(syscalls);
    yield* this.#openKvm(syscalls);
    yield* this.#createVm(syscalls);
    this.#step('memory slots');
    yield* this.#addMemory(syscalls);
    this.#step('vCPUs');
    yield* this.#createVcpus(syscalls);
    this.#step('firmware');
    placeSections(syscalls, this.slots, this.image, this.memory);
    yield* addSections(syscalls, this.vcpus[0]!.fd, this.slots, this.image, this.#scratch);
    this.#step('finalize');
    yield* finalizeVm(syscalls, this.vmFd, this.#scratch);
  }

  /** Runs the vCPUs, each in a thread of its own, until the TD stops. */
  *run(syscalls: Syscalls): Software<StopReason> {
    this.#step('run');
    for (const vcpu of this.vcpus) {
      vcpu.thread = syscalls.spawn(this.#cpuOf(vcpu.index), `vcpu${vcpu.index}`, (own) => vcpuThread(own, this, vcpu));
    }
    for (const vcpu of this.vcpus) yield* syscalls.join(vcpu.thread!);
    return this.stopped!;
  }

  /** Closes what is open: vCPUs, guest memory (its pages leave the TD here), the VM. */
  *destroy(syscalls: Syscalls): Software {
    this.#step('teardown');
    const gmem = this.slots.map((slot) => slot.gmem);
    for (const fd of [...this.vcpus.map((vcpu) => vcpu.fd), ...gmem, this.vmFd, this.kvmFd])
      if (fd >= 0) yield* syscalls.close(fd);
  }

  *#openKvm(syscalls: Syscalls): Software {
    this.#step('capabilities');
    this.kvmFd = yield* must('open /dev/kvm', syscalls.open('/dev/kvm'));
    const version = yield* must('KVM_GET_API_VERSION', syscalls.ioctl(this.kvmFd, KVM_GET_API_VERSION, 0n));
    const types = yield* this.#extension(syscalls, this.kvmFd, KVM_CAP_VM_TYPES);
    if (version !== KVM_API_VERSION || ((types >> KVM_X86_TDX_VM) & 1) === 0) throw new CallFailed('KVM_CAP_VM_TYPES', -EINVAL);
    this.#cpuCount = yield* this.#extension(syscalls, this.kvmFd, KVM_CAP_NR_VCPUS);
  }

  *#createVm(syscalls: Syscalls): Software {
    this.#step('create VM');
    this.vmFd = yield* must('KVM_CREATE_VM', syscalls.ioctl(this.kvmFd, KVM_CREATE_VM, BigInt(KVM_X86_TDX_VM)));
    const host = yield* supportedCpuid(syscalls, this.kvmFd, this.#scratch.data);
    const capabilities = yield* tdxCapabilities(syscalls, this.vmFd, this.#scratch);
    const vcpus = this.options.vcpus ?? DEFAULT_VCPUS;
    if ((yield* this.#extension(syscalls, this.vmFd, KVM_CAP_MAX_VCPUS)) < vcpus)
      throw new CallFailed('KVM_CAP_MAX_VCPUS', -EINVAL);
    yield* this.#enable(syscalls, KVM_CAP_SPLIT_IRQCHIP, 'KVM_CAP_SPLIT_IRQCHIP', 24n);
    yield* this.#enable(syscalls, KVM_CAP_EXIT_HYPERCALL, 'KVM_CAP_EXIT_HYPERCALL', 1n << BigInt(KVM_HC_MAP_GPA_RANGE));
    this.#step('init VM');
    const { attributes = ATTRIBUTES.SEPT_VE_DISABLE, gpaWidth = 48, mrconfigid, mrowner, mrownerconfig } = this.options;
    const cpuid = tdCpuid(capabilities.cpuid, host, gpaWidth);
    const xfam = WANTED_XFAM & capabilities.supportedXfam;
    yield* initVm(syscalls, this.vmFd, { attributes, xfam, mrconfigid, mrowner, mrownerconfig, cpuid }, this.#scratch);
  }

  *#addMemory(syscalls: Syscalls): Software {
    for (const [id, { address, length }] of backedRanges(this.image, this.memory).entries()) {
      this.slots.push(yield* addSlot(syscalls, this.vmFd, { id, gpa: address, length }, this.#scratch.data));
    }
  }

  *#createVcpus(syscalls: Syscalls): Software {
    const size = yield* must('KVM_GET_VCPU_MMAP_SIZE', syscalls.ioctl(this.kvmFd, KVM_GET_VCPU_MMAP_SIZE, 0n));
    const cpuid = cpuid2(vcpuCpuid(yield* supportedCpuid(syscalls, this.kvmFd, this.#scratch.data)));
    const hob = this.image.tdHob?.memoryAddress ?? 0;
    for (let index = 0; index < (this.options.vcpus ?? DEFAULT_VCPUS); index++) {
      const fd = yield* must('KVM_CREATE_VCPU', syscalls.ioctl(this.vmFd, KVM_CREATE_VCPU, BigInt(index)));
      const run = yield* must('mmap kvm_run', syscalls.mmapFile(fd, size));
      this.vcpus.push({ index, fd, run, thread: null });
    }
    for (const { fd } of this.vcpus) {
      yield* ioctlWith(syscalls, fd, [KVM_SET_CPUID2, 'KVM_SET_CPUID2'], cpuid, this.#scratch.data);
      yield* initVcpu(syscalls, fd, hob, this.#scratch);
    }
  }

  *#extension(syscalls: Syscalls, fd: number, capability: number): Software<number> {
    return yield* must('KVM_CHECK_EXTENSION', syscalls.ioctl(fd, KVM_CHECK_EXTENSION, BigInt(capability)));
  }

  *#enable(syscalls: Syscalls, capability: number, name: string, value: bigint): Software {
    const bytes = new Uint8Array(kvm_enable_cap.SIZE);
    kvm_enable_cap.cap.set(bytes, capability);
    kvm_enable_cap.args.set(bytes, 0, value);
    yield* ioctlWith(syscalls, this.vmFd, [KVM_ENABLE_CAP, `KVM_ENABLE_CAP ${name}`], bytes, this.#scratch.data);
  }

  #cpuOf(index: number): number {
    return this.options.cpus?.[index] ?? (index + 1) % this.#cpuCount;
  }

  #step(name: string): void {
    this.options.observer?.step?.(name);
  }
}
