import { type FirmwareReport, powerOn } from '../firmware/index.ts';
import { type Cpu, Kernel, type KexecReport, kernel_kexec, kexecBoot, kthread_run, Process } from '../linux/index.ts';
import {
  describeActivity,
  type MemoryMap,
  Platform,
  RunStuck,
  type Software,
  type SysInfoTable,
  type Task,
} from '../platform/index.ts';
import { Probe } from '../platform/probe.ts';
import { TdxModule } from '../tdx-module/module.ts';
import type { Syscalls } from '../vmm/index.ts';
import { checkVector, type KnobVector } from './knobs.ts';

export interface MachineOptions {
  /** 64-bit seed of every random stream. */
  readonly seed: bigint;
  /** Knobs of any layer; those not named have their defaults. */
  readonly knobs?: KnobVector;
  /** Default: 64 GiB in two NUMA nodes. */
  readonly memoryMap?: MemoryMap;
}

/** How a piece of software that was run to its end did end. */
export type Ending<T> =
  | { readonly kind: 'returned'; readonly value: T }
  /** An exception that nobody caught. */
  | { readonly kind: 'exception'; readonly exception: unknown }
  /** It waits for something that will never come, or its LP was stopped. */
  | { readonly kind: 'stuck'; readonly doing: string };

/** The house composed: hardware, firmware, module and a kernel, each plugged into the next. */
export class Machine {
  readonly platform: Platform;
  readonly probe: Probe;
  readonly knobs: KnobVector;
  /** The module, once firmware has installed it: for fault injection. */
  module: TdxModule | null = null;
  firmware: FirmwareReport | null = null;
  /** The kernel that runs now; kexec replaces it. */
  kernel: Kernel | null = null;

  constructor({ seed, knobs = {}, memoryMap }: MachineOptions) {
    this.knobs = checkVector(knobs);
    this.platform = new Platform({ seed, knobs: this.knobs, ...(memoryMap && { memoryMap }) });
    this.probe = new Probe(this.platform);
  }

  /** BIOS, MCHECK, P-SEAMLDR and the module, on the bootstrap processor. */
  powerOn(): Ending<FirmwareReport> {
    const createModule = (table: SysInfoTable): TdxModule => {
      this.module = new TdxModule(this.platform, table, this.knobs);
      return this.module;
    };
    const firmware = powerOn(this.platform, { createModule });
    const ending = this.#ending<FirmwareReport>(this.platform.scheduler.spawn(this.platform.lps[0]!, 'firmware', firmware));
    if (ending.kind === 'returned') this.firmware = ending.value;
    return ending;
  }

  /** Boots Linux; the value is the errno of TDX initialisation. */
  bootLinux(): Ending<number> {
    this.kernel = new Kernel(this.platform, this.knobs);
    return this.onCpu(0, 'swapper', (cpu) => cpu.kernel.start_kernel(cpu));
  }

  /** kexec: the kernel gives the machine up, and another one starts on it with nothing reset. */
  kexec(): Ending<KexecReport> {
    const ending = this.onCpu(0, 'kexec', (cpu) => kernel_kexec(cpu));
    if (ending.kind === 'returned') this.kernel = kexecBoot(this.kernel!);
    return ending;
  }

  /** Runs kernel software on a CPU until it ends. */
  onCpu<T>(cpu: number, name: string, software: (cpu: Cpu) => Software<T>): Ending<T> {
    const on = this.kernel!.cpus[cpu]!;
    return this.#ending<T>(kthread_run(on, name, software(on)));
  }

  /** Runs a user process until it and all its threads have ended. */
  process<T>(name: string, main: (syscalls: Syscalls) => Software<T>): Ending<T> {
    let value: { readonly of: T } | null = null;
    const thread = new Process(this.kernel!, name).spawn(0, 'main', function* (syscalls) {
      value = { of: yield* main(syscalls) };
    });
    this.#run();
    const returned = value as { readonly of: T } | null;
    if (returned && thread.ended) return { kind: 'returned', value: returned.of };
    return thread.killedBy ? { kind: 'exception', exception: thread.killedBy } : this.#stuck();
  }

  #ending<T>(task: Task): Ending<T> {
    this.#run([task]);
    if (task.state === 'done') return { kind: 'returned', value: task.outcome as T };
    return task.state === 'failed' ? { kind: 'exception', exception: task.outcome } : this.#stuck();
  }

  /** Software that goes round in circles ends as stuck, as software that waits for ever does. */
  #run(tasks: readonly Task[] = []): void {
    try {
      this.platform.scheduler.run(tasks);
    } catch (error) {
      if (!(error instanceof RunStuck)) throw error;
    }
  }

  #stuck(): { readonly kind: 'stuck'; readonly doing: string } {
    return { kind: 'stuck', doing: this.platform.scheduler.activities().map(describeActivity).join('; ') };
  }
}
