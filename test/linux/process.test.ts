import { describe, expect, expectTypeOf, it } from 'vitest';
import { copy_from_user, copy_to_user, File, get_user_page, Process, type Thread } from '../../src/linux/index.ts';
import type { Software } from '../../src/platform/index.ts';
import { EBADF, EFAULT, EINTR, ENODEV, ENOENT, ENOTTY } from '../../src/spec/errno.ts';
import type { Syscalls } from '../../src/vmm/syscalls.ts';
import { type Bench, bench } from './fake-seam.ts';

const user = (machine: Bench, main: (thread: Thread) => Software, cpu = 0): { process: Process; thread: Thread } => {
  const process = new Process(machine.kernel, 'vmm');
  const thread = process.spawn(cpu, 'main', main);
  machine.platform.scheduler.run();
  return { process, thread };
};

/** A device that upper-cases its argument in user memory and maps one page. */
const registerEcho = (machine: Bench): string[] => {
  const log: string[] = [];
  const page = machine.kernel.pages.get_zeroed_page(machine.kernel.cpus[0]!, 'echo')!;
  machine.kernel.devices.misc_register({
    path: '/dev/echo',
    *open() {
      yield 'pause';
      return new File(
        {
          name: 'echo',
          *ioctl(current, _file, request, arg) {
            yield 'pause';
            const bytes = copy_from_user(current, arg, request);
            if (!bytes) return -EFAULT;
            log.push(`ioctl ${bytes}`);
            return copy_to_user(
              current,
              arg,
              bytes.map((byte) => byte + 1),
            );
          },
          *mmap() {
            yield 'pause';
            return [page];
          },
          *release() {
            yield 'pause';
            log.push('release');
          },
        },
        null,
      );
    },
  });
  return log;
};

describe('a user process', () => {
  it('has in its threads what the VMM calls its system calls', () => {
    expectTypeOf<Thread>().toMatchTypeOf<Syscalls>();
  });

  it('has zeroed memory, in DRAM under KeyID 0, and gives it all back at its end', () => {
    const machine = bench();
    let page = 0;
    user(machine, function* (thread) {
      const va = yield* thread.mmap(3 * 4096);
      expect(thread.read(va + 4090, 12)).toEqual(new Uint8Array(12));
      thread.write(va + 4094, Uint8Array.of(1, 2, 3, 4));
      expect([...thread.read(va + 4093, 6)]).toEqual([0, 1, 2, 3, 4, 0]);
      page = get_user_page(thread, BigInt(va + 4096))!;
      expect([...machine.platform.lps[1]!.loadBytes(page, 2)]).toEqual([3, 4]);
      expect(machine.kernel.pages.outstanding().get('user')).toBe(2 * 4096);
    });
    expect(page).toBeGreaterThan(0);
    expect(machine.kernel.pages.outstanding().size).toBe(0);
  });

  it('dies by SIGSEGV where nothing is mapped', () => {
    const machine = bench();
    const { thread } = user(machine, function* (thread) {
      const va = yield* thread.mmap(4096);
      thread.write(va + 4095, Uint8Array.of(1, 2));
    });
    expect(thread.killedBy).toMatchObject({ name: 'SIGSEGV' });
    expect(thread.ended).toBe(true);
  });

  it('reaches a device by ioctl and mmap, and nothing else', () => {
    const machine = bench();
    const log = registerEcho(machine);
    user(machine, function* (thread) {
      expect(yield* thread.open('/dev/none')).toBe(-ENOENT);
      const fd = yield* thread.open('/dev/echo');
      expect(fd).toBe(3);
      const va = yield* thread.mmap(4096);
      thread.write(va, Uint8Array.of(5, 6));
      expect(yield* thread.ioctl(fd, 2, BigInt(va))).toBe(0);
      expect([...thread.read(va, 2)]).toEqual([6, 7]);
      expect(yield* thread.ioctl(fd, 2, BigInt(va + 4095))).toBe(-EFAULT);
      const shared = yield* thread.mmapFile(fd, 4096);
      thread.write(shared, Uint8Array.of(9));
      expect(yield* thread.ioctl(99, 0, 0n)).toBe(-EBADF);
      expect(yield* thread.close(fd)).toBe(0);
      expect(yield* thread.close(fd)).toBe(-EBADF);
    });
    expect(log).toEqual(['ioctl 5,6', 'release']);
    expect(machine.kernel.pages.outstanding()).toEqual(new Map([['echo', 4096]]));
  });

  it('releases at its end what it did not close; a file without operations says so', () => {
    const machine = bench();
    const log = registerEcho(machine);
    user(machine, function* (thread) {
      yield* thread.open('/dev/echo');
      const fd = thread.process.files.install(new File({ name: 'dumb' }, null));
      expect(yield* thread.ioctl(fd, 0, 0n)).toBe(-ENOTTY);
      expect(yield* thread.mmapFile(fd, 4096)).toBe(-ENODEV);
    });
    expect(log).toEqual(['release']);
  });

  it('has threads that signal each other: a blocked system call ends with -EINTR', () => {
    const machine = bench();
    machine.kernel.devices.misc_register({
      path: '/dev/wait',
      *open() {
        yield 'pause';
        const ioctl = function* (current: Thread): Software<number> {
          yield { what: 'a signal', ready: () => current.signal_pending };
          return -EINTR;
        };
        return new File({ name: 'wait', ioctl }, null);
      },
    });
    const results: number[] = [];
    user(machine, function* (thread) {
      const fd = yield* thread.open('/dev/wait');
      const sleeper = thread.spawn(2, 'sleeper', function* (sibling) {
        results.push(yield* sibling.ioctl(fd, 0, 0n));
      });
      expect(yield* thread.kill(sleeper)).toBe(0);
      yield* thread.join(sleeper);
    });
    expect(results).toEqual([-EINTR]);
  });

  it('has threads on other CPUs, whose end it can wait for', () => {
    const machine = bench();
    const order: string[] = [];
    user(machine, function* (thread) {
      const va = yield* thread.mmap(4096);
      const worker = thread.spawn(3, 'worker', function* (sibling) {
        yield 'pause';
        sibling.cpu.lp.spend(5_000_000);
        sibling.write(va, Uint8Array.of(7));
        order.push(`worker on CPU ${sibling.cpu.id}`);
      });
      expect(worker.ended).toBe(false);
      yield* thread.join(worker);
      order.push(`main read ${thread.read(va, 1)[0]}`);
      expect(thread.cpu.lp.now).toBeGreaterThan(5_000_000);
    });
    expect(order).toEqual(['worker on CPU 3', 'main read 7']);
  });
});
