import { describe, expect, it } from 'vitest';
import {
  exercise_memory,
  type Kernel,
  type KexecReport,
  kernel_kexec,
  kexec_load,
  kexecBoot,
  kthread_run,
  pamtRanges,
  tdh_phymem_page_rdmd,
  type WorkloadReport,
} from '../../src/linux/index.ts';
import type { Platform } from '../../src/platform/index.ts';
import { EIO, ENOSYS, EOPNOTSUPP } from '../../src/spec/errno.ts';
import { TDX_SEAMCALL_UD } from '../../src/spec/status.ts';
import { type Bench, bench, boot, run } from './fake-seam.ts';

const V12 = { 'kexec.policy': 'v12', 'kernel.pamtReset': 'always' } as const;

const booted = (knobs: Record<string, string | number>, options = {}): Bench => {
  const machine = bench(knobs, options);
  expect(boot(machine.kernel)).toBe(0);
  return machine;
};

const kexec = (machine: Bench): { report: KexecReport; next: Kernel } => ({
  report: run(machine.kernel, kernel_kexec),
  next: kexecBoot(machine.kernel),
});

/** Private lines of the range in DRAM. */
const privateLines = ({ platform }: Bench, base: number, size: number): number => {
  let count = 0;
  platform.core.forEachRun(base, size, (_, lines, state) => (count += state.tdBit ? lines : 0));
  return count;
};
const poisonedLines = ({ platform }: Bench, base: number, size: number): number => {
  let count = 0;
  platform.core.forEachRun(base, size, (_, lines, state) => (count += state.poison ? lines : 0));
  return count;
};

/** A MOVNTI of 4 bytes and then a load of the same line, by CPU 0 of a kernel. */
const movntiThenLoad = (kernel: Kernel, pa: number) => {
  const task = kthread_run(
    kernel.cpus[0]!,
    'test',
    (function* () {
      kernel.cpus[0]!.lp.directStore('nt-store', pa, 4);
      yield 'pause' as const;
      return kernel.cpus[0]!.lp.load64(pa);
    })(),
  );
  kernel.platform.scheduler.run([task]);
  return task;
};

describe('loading an image', () => {
  const load = (knobs: Record<string, string>): { errno: number; log: string } => {
    const { kernel } = booted(knobs);
    return { errno: kexec_load(kernel.cpus[0]!), log: kernel.log.lines('kexec').join() };
  };

  it('[S4-35] is refused on parts with the erratum, and only there', () => {
    const refused = load({ 'cpu.model': 'SPR' });
    expect(refused.errno).toBe(-EOPNOTSUPP);
    expect(refused.log).toContain('Not allowed on platform with tdx_pw_mce bug');
    expect(load({ 'cpu.model': 'GNR' })).toEqual({ errno: 0, log: '' });
  });

  it('[S4-34] does not exist where TDX and kexec exclude each other', () => {
    expect(load({ 'cpu.model': 'GNR', 'kexec.policy': 'exclusive' }).errno).toBe(-ENOSYS);
  });

  it('is never refused by series v12', () => {
    expect(load({ 'cpu.model': 'SPR', ...V12 }).errno).toBe(0);
  });
});

describe('private memory after kexec', () => {
  it('[S4-11] [S4-01] [S4-02] on a part with the erratum a partial write to an old PAMT is silent, and the next read a machine check', () => {
    const machine = booted({ 'cpu.model': 'SPR', ...V12, 'kexec.reset': 'none' });
    const [pamt] = pamtRanges(machine.kernel.tdx.tdmrs);
    const { next } = kexec(machine);
    expect(privateLines(machine, pamt!.base, pamt!.size)).toBeGreaterThan(0);
    const task = movntiThenLoad(next, pamt!.base);
    expect(task.state).toBe('failed');
    expect(next.panicked).toMatchObject({ cpu: 0, exception: { pa: pamt!.base, keyId: 0 } });
  });

  it('[S4-03] [S4-12] without it neither happens, over 100000 operations', () => {
    const machine = booted({ 'cpu.model': 'GNR', ...V12, 'kexec.reset': 'none' });
    const [pamt] = pamtRanges(machine.kernel.tdx.tdmrs);
    const { next } = kexec(machine);
    expect(privateLines(machine, pamt!.base, pamt!.size)).toBeGreaterThan(0);
    expect(movntiThenLoad(next, pamt!.base).state).toBe('done');
    const report = run(next, (cpu) => exercise_memory(cpu, 100_000, [pamt!]));
    expect(report).toMatchObject({ operations: 100_000, corrupted: [] });
    expect(next.panicked).toBeNull();
  });

  it('[S4-13] [S4-07] reset by full lines the old PAMTs have neither TD bit nor poison, and the workload never faults', () => {
    const machine = booted({ 'cpu.model': 'SPR', ...V12, 'kexec.reset': 'pamt' });
    const ranges = pamtRanges(machine.kernel.tdx.tdmrs);
    // Poisoned before: a full-line write cures it.
    machine.platform.lps[0]!.directStore('nt-store', ranges[0]!.base, 4);
    expect(poisonedLines(machine, ranges[0]!.base, ranges[0]!.size)).toBe(1);
    const { next, report } = kexec(machine);
    expect(report.resetLines).toBe(ranges.reduce((sum, { size }) => sum + size / 64, 0));
    expect(report.resetNs).toBeGreaterThan(0);
    for (const { base, size } of ranges)
      expect([privateLines(machine, base, size), poisonedLines(machine, base, size)]).toEqual([0, 0]);
    expect(run(next, (cpu) => exercise_memory(cpu, 20_000, ranges)).corrupted).toEqual([]);
  });

  it('the seeded workload over all free memory finds an old PAMT by itself', () => {
    const outcome = (knobs: Record<string, string>): string => {
      const machine = booted({ 'cpu.model': 'SPR', ...V12, ...knobs });
      const { next } = kexec(machine);
      const task = kthread_run(next.cpus[0]!, 'workload', exercise_memory(next.cpus[0]!, 40_000));
      machine.platform.scheduler.run([task]);
      const [first] = pamtRanges(machine.kernel.tdx.tdmrs);
      if (task.state === 'done') return `${(task.outcome as WorkloadReport).corrupted.length} corrupted`;
      const { pa } = next.panicked!.exception!;
      return pa >= first!.base && pa < 2 ** 33 ? `#MC, poisoned by ${next.panicked!.exception!.fault.check}` : 'elsewhere';
    };
    expect(outcome({ 'kexec.reset': 'none' })).toBe('#MC, poisoned by partial-write');
    expect(outcome({ 'kexec.reset': 'pamt' })).toBe('0 corrupted');
    expect(outcome({ 'kexec.reset': 'none', 'cpu.model': 'GNR' })).toBe('0 corrupted');
  });

  it('[S4-04] [S4-05] an ordinary store, and a full line past the caches, do not poison', () => {
    for (const [store, tdBit] of [
      [(pa: number, { lps: [lp] }: Platform) => lp!.store8(pa, 1), true],
      [(pa: number, { lps: [lp] }: Platform) => lp!.directStore('nt-store', pa, 64), false],
      [(pa: number, { dma }: Platform) => dma.write(pa, new Uint8Array(64)), false],
    ] as const) {
      const machine = booted({ 'cpu.model': 'SPR' });
      const { base } = pamtRanges(machine.kernel.tdx.tdmrs)[0]!;
      store(base, machine.platform);
      expect(poisonedLines(machine, base, 64)).toBe(0);
      machine.platform.lps[0]!.wbinvd();
      expect(machine.platform.core.inspect(base)).toMatchObject({ tdBit: false, poison: false });
      expect(tdBit || machine.platform.core.inspect(base).tdBit === false).toBe(true);
    }
    for (const partial of [
      (pa: number, { lps: [lp] }: Platform) => lp!.directStore('uc-store', pa, 8),
      (pa: number, { dma }: Platform) => dma.write(pa, new Uint8Array(8)),
    ]) {
      const machine = booted({ 'cpu.model': 'SPR' });
      const { base } = pamtRanges(machine.kernel.tdx.tdmrs)[0]!;
      partial(base, machine.platform);
      expect(poisonedLines(machine, base, 64)).toBe(1);
    }
  });

  it('[S4-24] series v12 resets nothing without TDX, without the erratum, or while nothing is private', () => {
    const lines = (knobs: Record<string, string>, prepare = (_: Bench) => {}): number => {
      const machine = bench({ ...V12, 'kexec.reset': 'pamt', ...knobs });
      boot(machine.kernel);
      prepare(machine);
      return run(machine.kernel, kernel_kexec).resetLines;
    };
    expect(lines({ 'cpu.model': 'SPR' })).toBeGreaterThan(0);
    expect(lines({ 'cpu.model': 'SPR', 'bios.tdx': 'off' })).toBe(0);
    expect(lines({ 'cpu.model': 'GNR' })).toBe(0);
    expect(lines({ 'cpu.model': 'SPR', 'kernel.tdxInit': 'on-demand' })).toBe(0);
  });

  it('all memory is dearer than the PAMTs, and needs a mapping that may write everywhere', () => {
    const cost = (knobs: Record<string, string>): KexecReport => kexec(booted({ 'cpu.model': 'SPR', ...V12, ...knobs })).report;
    const [pamt, tracked, all] = [
      cost({ 'kexec.reset': 'pamt' }),
      cost({ 'kexec.reset': 'tracked', 'kernel.trackPrivatePages': 'on' }),
      cost({ 'kexec.reset': 'all', 'kexec.pageTable': 'identity' }),
    ];
    expect(all.resetLines).toBeGreaterThan(100 * pamt.resetLines);
    expect(all.resetNs).toBeGreaterThan(100 * pamt.resetNs);
    expect(tracked.resetLines).toBe(pamt.resetLines);
  });

  it('[S4-20] through the direct mapping converting all memory ends in a page fault', () => {
    const machine = booted({ 'cpu.model': 'SPR', ...V12, 'kexec.reset': 'all' });
    const task = kthread_run(machine.kernel.cpus[0]!, 'kexec', kernel_kexec(machine.kernel.cpus[0]!));
    machine.platform.scheduler.run([task]);
    expect(task.outcome).toMatchObject({ vector: '#PF' });
  });
});

describe('caches on the way out', () => {
  it('only CPUs that made a SEAMCALL flush; each once', () => {
    const machine = booted({ 'cpu.model': 'GNR' });
    const flags = machine.kernel.cpus.map(({ cacheIncoherent }) => cacheIncoherent);
    machine.kernel.cpus[3]!.cacheIncoherent = false;
    expect(flags[3]).toBe(true);
    expect(kexec(machine).report.flushed.toSorted()).toEqual([0, 1, 2]);
    const idle = bench({ 'cpu.model': 'GNR', 'kernel.tdxInit': 'on-demand' });
    boot(idle.kernel);
    expect(kexec(idle).report.flushed).toEqual([]);
  });

  it('flush early, or only when they are stopped', () => {
    const order = (flushWhen: string): string[] => {
      const machine = booted({ 'cpu.model': 'GNR', 'kexec.flushWhen': flushWhen });
      const seen: string[] = [];
      machine.platform.events.subscribe(({ name, lp }, edge) => {
        if (edge === 'end' && name === 'WBINVD')
          seen.push(`flush ${lp}, ${machine.platform.lps[lp]!.vmxOn ? 'VMX on' : 'VMX off'}`);
      });
      kexec(machine);
      return seen.toSorted();
    };
    expect(order('early')).toEqual(['flush 0, VMX on', 'flush 1, VMX on', 'flush 2, VMX on', 'flush 3, VMX on']);
    expect(order('stop-this-cpu')).toEqual(['flush 0, VMX off', 'flush 1, VMX off', 'flush 2, VMX off', 'flush 3, VMX off']);
  });

  it('a private line that nobody flushed corrupts the new kernel later, without any machine check on a part without the erratum', () => {
    const corrupted = (flush: string): number => {
      const machine = booted({ 'cpu.model': 'GNR', 'kexec.flush': flush, 'hw.cache.sets': 65536, 'kernel.workingSet': 0 });
      const { base } = pamtRanges(machine.kernel.tdx.tdmrs)[0]!;
      const [lp] = machine.platform.lps;
      lp!.mode = 'seam';
      lp!.store64(base, 0x1234n, machine.kernel.tdx.globalKeyId);
      lp!.mode = 'root';
      const { next } = kexec(machine);
      const [first] = next.cpus;
      first!.lp.movdir64bFill(base, 64, 0, 0x77n);
      machine.platform.core.evictSome(0, 1_000_000);
      return first!.lp.load64(base) === 0x77n ? 0 : 1;
    };
    expect(corrupted('on')).toBe(0);
    expect(corrupted('off')).toBe(1);
  });
});

describe('the kernel after kexec', () => {
  it('runs on all CPUs; TDX stays off, because the module was initialised before: -EIO', () => {
    const machine = booted({ 'cpu.model': 'GNR' });
    const { next } = kexec(machine);
    expect(machine.platform.lps.every(({ vmxOn }) => !vmxOn)).toBe(true);
    expect(boot(next)).toBe(-EIO);
    expect(next.generation).toBe(2);
    expect(next.onlineCpus).toHaveLength(4);
    expect(next.tdx.initialized).toBe(false);
  });

  it('[S4-17] while VMX is off nobody can ask the module about a page', () => {
    const machine = booted({ 'cpu.model': 'GNR' });
    const { next } = kexec(machine);
    expect(run(next, (cpu) => tdh_phymem_page_rdmd(cpu, 0x100000)).status).toBe(TDX_SEAMCALL_UD);
  });

  it('[S4-18] a CPU stopped between a reclaim and its conversion leaves a private page behind', () => {
    const machine = booted({ 'cpu.model': 'SPR', ...V12, 'kexec.reset': 'pamt' });
    const { kernel, platform } = machine;
    const [, , third] = kernel.cpus;
    const page = kernel.pages.alloc_page(third!, 'private')!;
    third!.lp.mode = 'seam';
    third!.lp.movdir64bFill(page, 4096, 20);
    third!.lp.mode = 'root';
    kthread_run(
      third!,
      'reclaim',
      (function* () {
        // The module has answered; the CPU is stopped here, before its 64-byte writes.
        yield { what: 'the moment after the reclaim', ready: () => false };
        third!.lp.movdir64bFill(page, 4096);
      })(),
    );
    const { next } = kexec(machine);
    expect(platform.core.inspect(page).tdBit).toBe(true);
    expect(movntiThenLoad(next, page).state).toBe('failed');
  });
});
