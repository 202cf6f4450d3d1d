import { describe, expect, it } from 'vitest';
import {
  __seamcall,
  cpu_down,
  exercise_memory,
  kernel_kexec,
  kexecBoot,
  kthread_run,
  PAGE_SIZE,
  pamtRanges,
  tdh_phymem_page_rdmd,
  tdx_cpu_enable,
  tdx_enable,
  x86_virt_get_ref,
} from '../../src/linux/index.ts';
import { EINVAL, EIO } from '../../src/spec/errno.ts';
import { TDH } from '../../src/spec/leaves.ts';
import { SYS_STATE } from '../../src/spec/states.ts';
import {
  TDX_OPERAND_INVALID,
  TDX_SEAMCALL_VMFAILINVALID,
  TDX_SYS_CONFIG_NOT_PENDING,
  TDX_SYS_NOT_READY,
} from '../../src/spec/status.ts';
import { boot, run } from './fake-seam.ts';
import { type RealMachine, realMachine } from './real-machine.ts';
import { tinyMap } from './tiny-map.ts';

const GiB = 2 ** 30;

/** Sound lines of all PAMTs that lie in DRAM under the global KeyID. */
const privatePamtLines = ({ platform, kernel }: RealMachine): number => {
  let count = 0;
  for (const { base, size } of pamtRanges(kernel.tdx.tdmrs)) {
    platform.core.forEachRun(base, size, (_, lines, { keyId, tdBit, poison }) => {
      if (keyId === kernel.tdx.globalKeyId && tdBit && !poison) count += lines;
    });
  }
  return count;
};

/** What TDH.SYS.TDMR.INIT writes: all of the 4K level, an entry a page of the other two. */
const initialisedLines = ({ kernel }: RealMachine): number =>
  kernel.tdx.tdmrs.reduce(
    (sum, { size, pamt }) => sum + pamt['4k'].size / 64 + Math.ceil(size / 2 ** 21 / 4) + Math.ceil(size / GiB / 4),
    0,
  );

const evictAll = ({ platform }: RealMachine): void => {
  for (let pkg = 0; pkg < platform.packages; pkg++) platform.core.evictSome(pkg, 2 ** 31 - 1);
};

const failures = (machine: RealMachine): string[] =>
  machine.kernel.log.entries.filter(({ facts }) => 'status' in facts).map(({ facts }) => String(facts.status));

const hex = (status: bigint): string => `0x${status.toString(16)}`;

/** Starts a boot that may never end. */
const tryBoot = (machine: RealMachine): 'ended' | 'lost' => {
  const { kernel, platform } = machine;
  platform.scheduler.run([kthread_run(kernel.cpus[0]!, 'boot', kernel.start_kernel(kernel.cpus[0]!))]);
  return platform.seam.shutdownBy ? 'lost' : 'ended';
};

describe('Linux starts the real module', () => {
  it('[S0-13] in 256 calls a GiB, after which all PAMT entries lie under the global KeyID', () => {
    const machine = realMachine();
    expect(boot(machine.kernel)).toBe(0);
    expect(machine.module.state).toBe(SYS_STATE.READY);
    expect(machine.platform.seam.calls.get('TDH.SYS.TDMR.INIT')).toBe(4 * 256);
    evictAll(machine);
    expect(privatePamtLines(machine)).toBe(initialisedLines(machine));
  });

  it('[S1-12] but not one without NO_RBP_MOD', () => {
    expect(boot(realMachine({ 'module.features0': 'off' }).kernel)).toBe(-EINVAL);
  });

  it('[S0-52] nor while an LP has not been initialised, unless the module does not ask', () => {
    const withOffline = (knobs: Record<string, string>): RealMachine => {
      const machine = realMachine(knobs);
      machine.kernel.cpus[3]!.online = false;
      return machine;
    };
    const machine = withOffline({});
    expect(boot(machine.kernel)).toBe(-EIO);
    expect(failures(machine)).toEqual([hex(TDX_SYS_CONFIG_NOT_PENDING)]);
    expect(boot(withOffline({ 'module.requireAllLpInit': 'false' }).kernel)).toBe(0);
  });

  it('[S0-29] with a package offline the key is "configured", TDMR.INIT is not ready and all PAMTs go back', () => {
    const offlineLater = (knobs: Record<string, string>): { machine: RealMachine; errno: number } => {
      const machine = realMachine({ 'kernel.tdxInit': 'on-demand', ...knobs });
      const { kernel } = machine;
      boot(kernel);
      for (const id of kernel.cpus.keys()) {
        run(
          kernel,
          function* (cpu) {
            x86_virt_get_ref(cpu);
            return yield* tdx_cpu_enable(cpu);
          },
          id,
        );
      }
      for (const id of [2, 3]) expect(run(kernel, (cpu) => cpu_down(cpu, id))).toBe(0);
      return { machine, errno: run(kernel, tdx_enable) };
    };
    const { machine, errno } = offlineLater({});
    expect(errno).toBe(-EIO);
    expect(machine.platform.seam.calls.get('TDH.SYS.KEY.CONFIG')).toBe(1);
    expect(failures(machine)).toEqual([hex(TDX_SYS_NOT_READY)]);
    expect(machine.kernel.pages.outstanding().has('PAMT')).toBe(false);
    expect(offlineLater({ 'module.requireAllPackages': 'false' }).errno).toBe(0);
    const precheck = offlineLater({ 'kernel.offlinePackagePolicy': 'precheck' });
    expect(precheck.errno).toBe(-EIO);
    expect(precheck.machine.platform.seam.calls.has('TDH.SYS.KEY.CONFIG')).toBe(false);
  });

  it('[S0-23] [S0-25] tries again for lack of entropy, but not when the module says TDX_KEY_GENERATION_FAILED', () => {
    const lacking = (entropyCode: string, count: number): number => {
      const { kernel, module } = realMachine({ 'module.entropyCode': entropyCode });
      module.entropy.failNext('SYS_KEY_CONFIG', count);
      return boot(kernel);
    };
    expect(lacking('RND_NO_ENTROPY', 9)).toBe(0);
    expect(lacking('RND_NO_ENTROPY', 10)).toBe(-EIO);
    expect(lacking('KEY_GENERATION_FAILED', 1)).toBe(-EIO);
  });

  it('[S0-18] with the keys configured in parallel one package is told that the module is busy', () => {
    expect(boot(realMachine({ 'kernel.keyConfig': 'parallel' }).kernel)).toBe(-EIO);
  });
});

describe('dirty KeyID-0 lines over the PAMTs', () => {
  /** Page frames that were in use just before. */
  const RECENT = { 'kernel.earlierUse': 'recent', 'kernel.dirtyLines': 8192 } as const;
  const OFF = { 'kernel.wbinvdBeforeKeyConfig': 'off' } as const;

  it('[S0-30] without the WBINVD one is evicted over what the module wrote: its next read is an unbreakable shutdown', () => {
    const machine = realMachine({ ...RECENT, ...OFF });
    expect(tryBoot(machine)).toBe('lost');
    const { platform, kernel } = machine;
    const { shutdownBy, lostLp } = platform.seam;
    expect(lostLp).toBe(platform.lps[0]);
    expect(kernel.tdx.errno).toBeNull();
    expect(shutdownBy).toMatchObject({
      keyId: kernel.tdx.globalKeyId,
      fault: { check: 'td-bit', storedKeyId: 0, storedTdBit: false },
    });
    expect(pamtRanges(kernel.tdx.tdmrs).some(({ base, size }) => shutdownBy!.pa >= base && shutdownBy!.pa < base + size)).toBe(
      true,
    );
    expect(platform.events.get(shutdownBy!.fault.writer)!.name).toContain('earlier user');
    expect(run(kernel, (cpu) => __seamcall(cpu, TDH.SYS_RD, {}), 3)).toBe(TDX_SEAMCALL_VMFAILINVALID);
    expect(tryBoot(realMachine(RECENT))).toBe('ended');
  });

  /** Lines of the PAMTs that the module wrote and that somebody else has written since, when nothing is cached any more. */
  const overwrittenLines = (knobs: Record<string, string>, seed: bigint): number => {
    const small = { 'hw.cache.sets': 64, 'kernel.earlierUse': 'recent', 'kernel.dirtyLines': 1024, ...knobs };
    const machine = realMachine(small, { memoryMap: tinyMap, lpsPerPackage: 1, seed });
    if (tryBoot(machine) === 'lost') return 1;
    evictAll(machine);
    return initialisedLines(machine) - privatePamtLines(machine);
  };

  it('[S0-30] with it that never happens: 1000 seeds on a machine of one GiB and two packages', () => {
    for (let seed = 1n; seed <= 1000n; seed++) expect([seed, overwrittenLines({}, seed)]).toEqual([seed, 0]);
    for (const seed of [1n, 2n, 3n]) expect(overwrittenLines(OFF, seed)).toBeGreaterThan(0);
  }, 900_000);

  /** Boots, lets every line leave the caches, and asks the module about the first page whose PAMT entry lost its TD bit. */
  const afterAllEvictions = (knobs: Record<string, string | number>): 'intact' | 'shutdown' => {
    const machine = realMachine(knobs, { seed: 2n });
    expect(tryBoot(machine)).toBe('ended');
    const { kernel, platform } = machine;
    evictAll(machine);
    const [{ pamt, base }] = kernel.tdx.tdmrs as [(typeof kernel.tdx.tdmrs)[number]];
    const overwritten = firstNormalLine(machine, pamt['4k'].base, pamt['4k'].size);
    if (overwritten === null) return 'intact';
    const page = base + ((overwritten - pamt['4k'].base) / 16) * PAGE_SIZE;
    platform.scheduler.run([kthread_run(kernel.cpus[0]!, 'RDMD', tdh_phymem_page_rdmd(kernel.cpus[0]!, page))]);
    expect(platform.seam.shutdownBy!.pa).toBe(overwritten);
    return 'shutdown';
  };

  const firstNormalLine = ({ platform }: RealMachine, base: number, size: number): number | null => {
    let next = base;
    platform.core.forEachRun(base, size, (pa, lines) => {
      if (pa === next) next = pa + lines * 64;
    });
    return next < base + size ? next : null;
  };

  it('[S0-33] flushed on one package alone they are still there on the other', () => {
    expect(afterAllEvictions({ 'kernel.wbinvdScope': 'local' })).toBe('shutdown');
    expect(afterAllEvictions({ 'kernel.wbinvdScope': 'all' })).toBe('intact');
  });

  it('[S0-34] flushed after the key, but before TDMR.INIT, nothing happens; not flushed at all it is a matter of time', () => {
    expect(afterAllEvictions({ 'kernel.wbinvdWhen': 'after' })).toBe('intact');
    expect(afterAllEvictions(OFF)).toBe('shutdown');
  });

  it('[S0-35] CLFLUSH of the PAMTs does as well; it costs time by their size, WBINVD stops every CPU', () => {
    const run = (pamtFlush: string): { wbinvd: number; ns: number } => {
      const { kernel, platform } = realMachine({ 'kernel.pamtFlush': pamtFlush });
      boot(kernel);
      return { wbinvd: kernel.counters.wbinvd, ns: platform.lps[0]!.now };
    };
    expect(afterAllEvictions({ 'kernel.pamtFlush': 'clflush' })).toBe('intact');
    expect(afterAllEvictions({ 'kernel.pamtFlush': 'none' })).toBe('shutdown');
    const [wbinvd, clflush] = [run('wbinvd'), run('clflush')];
    expect([wbinvd.wbinvd, clflush.wbinvd]).toEqual([4, 0]);
    expect(clflush.ns).toBeGreaterThan(wbinvd.ns);
  });
});

describe('after a failed initialisation', () => {
  const failed = (knobs: Record<string, string>): { machine: RealMachine; pamts: readonly { base: number; size: number }[] } => {
    const machine = realMachine({ 'cpu.model': 'GNR', 'kernel.workingSet': 0, ...knobs });
    let pamts: readonly { base: number; size: number }[] = [];
    machine.platform.events.subscribe(({ name }, edge) => {
      if (edge === 'begin' && name === 'TDH.SYS.TDMR.INIT') pamts = pamtRanges(machine.kernel.tdx.tdmrs);
    });
    machine.module.faults.inject('SYS_TDMR_INIT', TDX_OPERAND_INVALID, 200);
    expect(boot(machine.kernel)).toBe(-EIO);
    return { machine, pamts };
  };

  /** The kernel uses the pages again; then whatever the caches still hold is written back. */
  const corrupted = (knobs: Record<string, string>): number => {
    const { machine, pamts } = failed(knobs);
    const { lp } = machine.kernel.cpus[0]!;
    for (const { base, size } of pamts) lp.movdir64bFill(base, size, 0, 0x5555n);
    evictAll(machine);
    let wrong = 0;
    for (const { base, size } of pamts)
      for (let pa = base; pa < base + size; pa += 64) wrong += lp.load64(pa) === 0x5555n ? 0 : 1;
    return wrong;
  };

  it('[S0-43] pages that go back without a flush are silently overwritten later, without any #MC', () => {
    expect(corrupted({ 'kernel.flushOnInitError': 'off' })).toBeGreaterThan(0);
    expect(corrupted({ 'kernel.flushOnInitError': 'on' })).toBe(0);
  });

  it('[S0-44] PAMTs that were flushed need no MOVDIR64B: 10000 operations of the kernel on them are undisturbed', () => {
    const { machine, pamts } = failed({ 'kernel.pamtReset': 'never' });
    expect(machine.kernel.counters.resetLines).toBe(0);
    expect(run(machine.kernel, (cpu) => exercise_memory(cpu, 10_000, pamts)).corrupted).toEqual([]);
    expect(machine.kernel.panicked).toBeNull();
  });
});

describe('kexec with the real module', () => {
  it('the new kernel finds zeros in the old PAMTs and a module that was initialised before', () => {
    const machine = realMachine({ 'cpu.model': 'GNR' });
    boot(machine.kernel);
    const { pamts } = run(machine.kernel, kernel_kexec);
    const next = kexecBoot(machine.kernel);
    for (const { base } of pamts) expect(next.cpus[0]!.lp.loadBytes(base, 256)).toEqual(new Uint8Array(256));
    expect(boot(next)).toBe(-EIO);
    expect(run(next, (cpu) => exercise_memory(cpu, 20_000)).corrupted).toEqual([]);
  });
});
