import type { Software } from '../platform/index.ts';
import type { Cpu } from './cpu.ts';
import { FileTable } from './file.ts';
import type { Kernel } from './kernel.ts';
import { guard } from './mce.ts';
import { Mm } from './mm/user.ts';
import { Thread } from './thread.ts';

/** A user process: address space, files, threads. */
export class Process {
  readonly kernel: Kernel;
  readonly name: string;
  readonly mm = new Mm();
  readonly files = new FileTable();
  readonly threads: Thread[] = [];

  constructor(kernel: Kernel, name: string) {
    this.kernel = kernel;
    this.name = name;
  }

  /** Starts a thread on a CPU. */
  spawn(cpu: number, name: string, main: (thread: Thread) => Software): Thread {
    const on = this.kernel.cpus[cpu]!;
    const thread = new Thread(this, on, name);
    this.threads.push(thread);
    this.kernel.platform.scheduler.spawn(on.lp, `${this.name}/${name}`, guard(on, thread.run(main(thread))));
    return thread;
  }

  /** The last thread takes files and memory with it. */
  *threadExited(last: Thread): Software {
    if (this.threads.some((thread) => !thread.ended)) return;
    yield* this.files.closeAll(last);
    this.mm.exit_mmap(last.cpu);
  }
}

/** Runs kernel software on a CPU as a thread of its own (a kthread, or the boot thread). */
export const kthread_run = (cpu: Cpu, name: string, software: Software<unknown>) =>
  cpu.kernel.platform.scheduler.spawn(cpu.lp, name, guard(cpu, software));
