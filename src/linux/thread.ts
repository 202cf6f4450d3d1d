import { COST, Completion, HardwareException, type LogicalProcessor, MachineCheck, type Software } from '../platform/index.ts';
import { EBADF, EFAULT, EINTR, EINVAL, ENODEV, ENOTTY, errnoName } from '../spec/errno.ts';
import type { Cpu } from './cpu.ts';
import type { Kernel } from './kernel.ts';
import { do_machine_check } from './mce.ts';
import { type Mm, readVirtual, recoverable, writeVirtual } from './mm/user.ts';
import type { Process } from './process.ts';
import { wait_for_completion } from './smp.ts';

/** A user thread's death by signal; nothing in user space catches it. */
export class Signal {
  readonly name: 'SIGSEGV' | 'SIGBUS';
  readonly va: number;
  constructor(name: Signal['name'], va: number) {
    this.name = name;
    this.va = va;
  }
}

/**
 * A user-space thread, pinned to a CPU: `current` for the kernel code it enters, and its own way into the kernel.
 * As an object for user space it has exactly the members of the VMM's `Syscalls`.
 */
export class Thread {
  readonly process: Process;
  readonly cpu: Cpu;
  readonly name: string;
  /** Set by a signal; a blocking ioctl then ends with -EINTR. */
  signal_pending = false;
  /** What killed the thread, if something did. */
  killedBy: Signal | null = null;
  readonly #exited = new Completion();

  constructor(process: Process, cpu: Cpu, name: string) {
    this.process = process;
    this.cpu = cpu;
    this.name = name;
  }

  get kernel(): Kernel {
    return this.cpu.kernel;
  }

  get lp(): LogicalProcessor {
    return this.cpu.lp;
  }

  get mm(): Mm {
    return this.process.mm;
  }

  get ended(): boolean {
    return this.#exited.done;
  }

  // ---- system calls

  *mmap(length: number): Software<number> {
    this.#enterKernel();
    yield 'pause';
    return this.mm.mmap(length);
  }

  *mmapFile(fd: number, length: number): Software<number> {
    this.#enterKernel();
    const file = this.process.files.get(fd);
    if (!file) return -EBADF;
    if (!file.f_op.mmap) return -ENODEV;
    const pages = yield* file.f_op.mmap(this, file, length);
    return typeof pages === 'number' ? pages : this.mm.mmap(length, pages);
  }

  *open(path: string): Software<number> {
    this.#enterKernel();
    const file = yield* this.cpu.kernel.devices.open(this, path);
    return typeof file === 'number' ? file : this.process.files.install(file);
  }

  *close(fd: number): Software<number> {
    this.#enterKernel();
    return yield* this.process.files.close(this, fd);
  }

  *ioctl(fd: number, request: number, arg: bigint): Software<number> {
    this.#enterKernel();
    const file = this.process.files.get(fd);
    if (!file) return -EBADF;
    if (!file.f_op.ioctl) return -ENOTTY;
    const { lp } = this.cpu;
    const name = file.f_op.requestName?.(request) ?? `ioctl 0x${request.toString(16)}`;
    const event = lp.beginEvent('ioctl', name, { fd, file: file.f_op.name });
    const result = yield* file.f_op.ioctl(this, file.get(), request, arg);
    yield* file.put(this);
    // The handler of the signal runs on the way back to user mode, and does nothing.
    if (result === -EINTR) this.signal_pending = false;
    lp.endEvent(event, errnoName(result));
    return result;
  }

  /** A user-mode load. An unmapped address is SIGSEGV. */
  read(va: number, length: number): Uint8Array {
    const bytes = this.#userAccess(va, () => readVirtual(this.cpu, this.mm, va, length));
    if (!bytes) throw new Signal('SIGSEGV', va);
    return bytes;
  }

  /** A user-mode store. */
  write(va: number, bytes: Uint8Array): void {
    if (!this.#userAccess(va, () => writeVirtual(this.cpu, this.mm, va, bytes))) throw new Signal('SIGSEGV', va);
  }

  spawn(cpu: number, name: string, main: (thread: Thread) => Software): Thread {
    return this.process.spawn(cpu, name, main);
  }

  /** tgkill(): wakes a blocked system call, and a guest that runs for the thread is left. */
  *kill(thread: { readonly name: string; readonly ended: boolean }): Software<number> {
    this.#enterKernel();
    const sibling = this.process.threads.find((candidate) => candidate === thread);
    if (!sibling) return -EINVAL;
    sibling.signal_pending = true;
    if (sibling.cpu !== this.cpu) this.cpu.kernel.platform.interrupt(this.cpu.lp, sibling.cpu.lp, reschedule);
    return 0;
  }

  *join(thread: { readonly name: string; readonly ended: boolean }): Software {
    const sibling = this.process.threads.find((candidate) => candidate === thread);
    if (sibling) yield* wait_for_completion(this.cpu, sibling.#exited, `thread ${thread.name}`);
  }

  // ---- the kernel's side

  /** The thread's life: its program, then its end. A machine check in user mode is handled here, one in the kernel by guard(). */
  *run(main: Software): Software {
    const { cpu } = this;
    cpu.lp.cpl = 0;
    try {
      yield* main;
    } catch (exception) {
      if (exception instanceof Signal) this.killedBy = exception;
      else if (exception instanceof UserMachineCheck) {
        yield* do_machine_check(cpu, exception.cause, 'user');
        this.killedBy = new Signal('SIGBUS', exception.va);
      } else throw exception;
    }
    this.#exited.complete(cpu.lp.now);
    yield* this.process.threadExited(this);
  }

  #enterKernel(): void {
    this.cpu.lp.spend(COST.syscall);
  }

  #userAccess<T>(va: number, access: () => T): T {
    try {
      return access();
    } catch (exception) {
      throw exception instanceof MachineCheck ? new UserMachineCheck(exception, va) : exception;
    }
  }
}

/** The interrupt that makes a CPU look at its thread's signals. */
function* reschedule(): Software {}

/** A machine check that hit while the CPU was in user mode. */
class UserMachineCheck extends HardwareException {
  readonly cause: MachineCheck;
  readonly va: number;
  constructor(cause: MachineCheck, va: number) {
    super('#MC', cause.detail);
    this.cause = cause;
    this.va = va;
  }
}

/** Bytes of user memory, or null (-EFAULT). */
export const copy_from_user = (current: Thread, va: bigint, length: number): Uint8Array | null =>
  recoverable(
    () => readVirtual(current.cpu, current.mm, Number(va), length),
    null,
    () => killByMachineCheck(current),
  );

/** 0, or -EFAULT. */
export const copy_to_user = (current: Thread, va: bigint, bytes: Uint8Array): number =>
  recoverable(
    () => writeVirtual(current.cpu, current.mm, Number(va), bytes),
    false,
    () => killByMachineCheck(current),
  )
    ? 0
    : -EFAULT;

/** get_user_pages() for one address: the physical page behind it (populated), or null (-EFAULT). */
export const get_user_page = (current: Thread, va: bigint): number | null => current.mm.fault(current.cpu, Number(va));

const killByMachineCheck = (current: Thread): void => {
  current.signal_pending = true;
  current.cpu.printk('err', 'mce', 'Uncorrected hardware memory error in user-access');
};
