import { powerOn } from '../../src/firmware/index.ts';
import { type Kvm, loadKvm } from '../../src/kvm/index.ts';
import { Kernel, kthread_run, Process, type Thread } from '../../src/linux/index.ts';
import type { GuestCpu, GuestSoftware } from '../../src/platform/guest-cpu.ts';
import { Platform, type Software, smallMap, type Task } from '../../src/platform/index.ts';
import type { KnobValue } from '../../src/spec/knob.ts';
import { TdxModule } from '../../src/tdx-module/index.ts';

const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LMA = 1n << 10n;

/** Guest software behind a firmware's switch to 64-bit mode, without which TDCALL is #GP. */
export const inLongMode = (guest: (cpu: GuestCpu) => GuestSoftware) =>
  function* (cpu: GuestCpu): GuestSoftware {
    cpu.state.cr0 |= CR0_PG;
    cpu.state.cr4 |= CR4_PAE;
    cpu.state.efer |= EFER_LMA;
    yield* guest(cpu);
  };

/** The host side on the small map: powered on, Linux booted, KVM loaded. Everything in it is real. */
export class House {
  readonly platform: Platform;
  module!: TdxModule;
  kernel!: Kernel;
  kvm!: Kvm;

  constructor(knobs: Readonly<Record<string, KnobValue>> = {}, seed = 1n) {
    this.platform = new Platform({ seed, knobs, memoryMap: smallMap });
    const bsp = this.platform.lps[0]!;
    this.#run(
      this.platform.scheduler.spawn(
        bsp,
        'firmware',
        powerOn(this.platform, {
          createModule: (table) => {
            this.module = new TdxModule(this.platform, table, knobs);
            return this.module;
          },
        }),
      ),
    );
    this.kernel = new Kernel(this.platform, knobs);
    const errno = this.onCpu((cpu) => cpu.kernel.start_kernel(cpu));
    if (errno !== 0) throw new Error(`Linux: TDX initialisation failed: ${errno}\n${this.log()}`);
    const kvm = this.onCpu((cpu) => loadKvm(cpu, knobs));
    if (typeof kvm === 'number') throw new Error(`KVM did not load: ${kvm}\n${this.log()}`);
    this.kvm = kvm;
  }

  /** Runs kernel software on CPU 0. */
  onCpu<T>(software: (cpu: Kernel['cpus'][number]) => Software<T>): T {
    const cpu = this.kernel.cpus[0]!;
    return this.#run(kthread_run(cpu, 'test', software(cpu))) as T;
  }

  /** Runs a user program on CPU 0 to its end, with the process it is. */
  user<T>(program: (thread: Thread) => Software<T>, process = new Process(this.kernel, 'test')): T {
    let result: T | undefined;
    let ended = false;
    const thread = process.spawn(0, 'main', function* (self) {
      result = yield* program(self);
      ended = true;
    });
    this.platform.scheduler.run();
    if (!ended) throw new Error(`the program is stuck (${thread.killedBy?.name ?? 'waiting'})\n${this.log()}`);
    return result as T;
  }

  log(): string {
    return this.kernel.log.entries.map((entry) => entry.text).join('\n');
  }

  #run(task: Task): unknown {
    this.platform.scheduler.run([task]);
    if (task.state !== 'done') throw new Error(`${task.name}: ${task.state} ${JSON.stringify(task.outcome)}`);
    return task.outcome;
  }
}
