import { describe, expect, it } from 'vitest';
import { get_user_page, kthread_run, Process, pamtRanges, type Thread } from '../../src/linux/index.ts';
import { type Bench, bench, boot } from './fake-seam.ts';

const TEXT = 'TDX private memory error. Possible kernel bug.';

/** Poisons a line, and lets a thread of the kernel load it. */
const consume = (machine: Bench, pa: number): Bench => {
  const { kernel, platform } = machine;
  platform.core.flip(pa, 'poison');
  const [cpu] = kernel.cpus;
  kthread_run(
    cpu!,
    'reader',
    (function* () {
      yield 'pause' as const;
      cpu!.lp.load64(pa);
    })(),
  );
  platform.scheduler.run();
  return machine;
};
const says = ({ kernel }: Bench): boolean => kernel.log.lines('mce').some((line) => line.includes(TEXT));

const booted = (knobs = {}): Bench => {
  const machine = bench(knobs);
  boot(machine.kernel);
  return machine;
};
const pamtOf = ({ kernel }: Bench): number => pamtRanges(kernel.tdx.tdmrs)[0]!.base;

describe('a machine check in the kernel', () => {
  it('[S4-08] names private memory on parts with the erratum, and other memory never', () => {
    const spr = booted({ 'cpu.model': 'SPR' });
    expect(says(consume(spr, pamtOf(spr)))).toBe(true);
    expect(says(consume(booted({ 'cpu.model': 'SPR' }), 5 * 2 ** 30))).toBe(false);
    const gnr = booted({ 'cpu.model': 'GNR' });
    expect(says(consume(gnr, pamtOf(gnr)))).toBe(false);
  });

  it('[S4-09] says nothing while the module is not ready', () => {
    const machine = booted({ 'cpu.model': 'SPR' });
    machine.kernel.tdx.state = 'uninitialized';
    expect(says(consume(machine, pamtOf(machine)))).toBe(false);
  });

  it('is a panic: this CPU stops and all others with it', () => {
    const machine = consume(booted(), 5 * 2 ** 30);
    expect(machine.kernel.panicked).toMatchObject({ cpu: 0, reason: 'Fatal machine check' });
    expect(machine.platform.lps.map(({ stopped }) => stopped)).toEqual(['panic', 'nmi-stop', 'nmi-stop', 'nmi-stop']);
  });
});

describe('a machine check in user mode', () => {
  it('costs the process and nobody else', () => {
    const machine = booted();
    const process = new Process(machine.kernel, 'app');
    let page = 0;
    const victim = process.spawn(1, 'victim', function* (thread: Thread) {
      const va = yield* thread.mmap(4096);
      thread.write(va, Uint8Array.of(1));
      page = get_user_page(thread, BigInt(va))!;
      machine.platform.core.clflush(page, 1, 0);
      machine.platform.core.flip(page, 'poison');
      thread.read(va, 1);
    });
    machine.platform.scheduler.run();
    expect(victim.killedBy).toMatchObject({ name: 'SIGBUS' });
    expect(machine.kernel.panicked).toBeNull();
    expect(machine.platform.lps[1]!.stopped).toBe('');
    expect(machine.kernel.log.entries.find(({ facts }) => 'context' in facts)!.facts).toMatchObject({ context: 'user' });
  });
});
