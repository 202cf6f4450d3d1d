import type { MachineCheck, Platform, Software } from '../platform/index.ts';
import { ENODEV } from '../spec/errno.ts';
import { type KnobValue, readKnobs } from '../spec/knob.ts';
import { Cpu } from './cpu.ts';
import type { CpuhpState } from './cpu-hotplug.ts';
import { Devices } from './devices.ts';
import { FaultInjection } from './faults.ts';
import { type KernelKnobs, kernelKnobs } from './knobs.ts';
import { MemoryNotifiers } from './memory-hotplug.ts';
import { type Memblock, memblockFromE820 } from './mm/memblock.ts';
import { PageAllocator } from './mm/page-alloc.ts';
import { EarlierUsers, fillCaches } from './mm/page-history.ts';
import { Slab } from './mm/slab.ts';
import { KernelLog } from './printk.ts';
import { detect_tdx } from './tdx/detect.ts';
import { tdx_enable_initcall } from './tdx/enable.ts';
import { TdxHost } from './tdx/host.ts';

/** Why a kernel died. */
export interface Panic {
  readonly cpu: number;
  readonly reason: string;
  readonly exception: MachineCheck | null;
}

/** Runs before the kernel gives the machine up (kexec); KVM switches virtualisation off here. */
export type RebootNotifier = (cpu: Cpu) => Software;

/** A Linux kernel on a platform. Its state is ordinary fields; what the hardware must see is in simulated memory. */
export class Kernel {
  readonly platform: Platform;
  readonly knobs: KernelKnobs;
  /** The full knob vector it was built with, for the kernel that comes after it. */
  readonly knobVector: Readonly<Record<string, KnobValue>>;
  /** 1 for the first kernel since reset; kexec counts on. */
  readonly generation: number;
  readonly log: KernelLog;
  readonly faults = new FaultInjection();
  readonly memblock: Memblock;
  readonly pages: PageAllocator;
  readonly slab: Slab;
  readonly cpus: readonly Cpu[];
  readonly devices = new Devices();
  readonly memoryNotifiers: MemoryNotifiers;
  readonly cpuhpStates: CpuhpState[] = [];
  readonly rebootNotifiers: RebootNotifier[] = [];
  readonly tdx = new TdxHost();
  readonly acpi = { suspendToRam: true };
  /** Executions of WBINVD, and lines that were reset by MOVDIR64B. */
  readonly counters = { wbinvd: 0, resetLines: 0 };
  panicked: Panic | null = null;

  constructor(platform: Platform, knobs: Readonly<Record<string, KnobValue>> = {}, generation = 1) {
    this.platform = platform;
    this.knobVector = knobs;
    this.knobs = readKnobs(kernelKnobs, knobs);
    this.generation = generation;
    this.log = new KernelLog(platform);
    this.memblock = memblockFromE820(platform.map);
    this.slab = new Slab(this.faults);
    this.pages = new PageAllocator(this.memblock, this.faults, new EarlierUsers(this), this.knobs['kernel.initOnAlloc'] === 'on');
    this.cpus = platform.lps.map((lp) => new Cpu(this, lp));
    this.memoryNotifiers = new MemoryNotifiers(this);
  }

  get onlineCpus(): readonly Cpu[] {
    return this.cpus.filter((cpu) => cpu.online);
  }

  /** Boots on one CPU: detection, then the initcall (profile 7.1). Gives TDX's errno; a machine without TDX boots all the same. */
  *start_kernel(cpu: Cpu): Software<number> {
    const event = cpu.lp.beginEvent('phase', `Linux boots (kernel ${this.generation})`);
    fillCaches(this);
    const detected = yield* cpu.lp.phase('detection', detect_tdx(cpu), (errno) => describeDetection(errno, this.tdx));
    const errno = this.knobs['kernel.tdxInit'] === 'initcall' ? yield* tdx_enable_initcall(cpu) : detected === 0 ? 0 : -ENODEV;
    cpu.lp.endEvent(event);
    return errno;
  }

  /** panic(): the other CPUs are stopped by NMI and nothing of theirs unwinds. */
  panic(cpu: Cpu, reason: string, exception: MachineCheck | null = null): void {
    this.panicked = { cpu: cpu.id, reason, exception };
    cpu.printk('emerg', 'panic', `Kernel panic - not syncing: ${reason}`);
    for (const other of this.onlineCpus) {
      if (other === cpu || other.lp.stopped) continue;
      this.platform.scheduler.drop(other.lp);
      other.lp.stopped = 'nmi-stop';
    }
  }
}

const describeDetection = (errno: number, { globalKeyId, keyIdCount }: TdxHost): string =>
  errno === 0
    ? `private KeyIDs ${globalKeyId} to ${globalKeyId + keyIdCount - 1}, the first is the module's`
    : `no TDX host platform (${errno})`;
