import { describe, expect, it } from 'vitest';
import { cpu_down, tdx_cpu_enable, tdx_enable, x86_virt_get_ref } from '../../src/linux/index.ts';
import type { MachineEvent } from '../../src/platform/index.ts';
import { EFAULT, EINVAL, EIO, ENODEV, ENOMEM, ENXIO } from '../../src/spec/errno.ts';
import { FEATURES0 } from '../../src/spec/features.ts';
import { TDH } from '../../src/spec/leaves.ts';
import { MD_SYS } from '../../src/spec/metadata.ts';
import {
  TDX_KEY_GENERATION_FAILED,
  TDX_OPERAND_INVALID,
  TDX_RND_NO_ENTROPY,
  TDX_SYS_BUSY,
  TDX_TDMR_ALREADY_INITIALIZED,
} from '../../src/spec/status.ts';
import { type Bench, bench, boot, run } from './fake-seam.ts';

const HOST_V7 = {
  'kernel.wbinvdPlacement': 'caller',
  'kernel.entropyRetry': 0,
  'kernel.seamcallErrno': 'host-v7',
  'kernel.pamtReset': 'never',
  'kernel.errorLabels': 'shared',
} as const;

/** After a failure nothing but the kernel's own data may be allocated. */
const expectNothingLeft = ({ kernel }: Bench): void => {
  expect([...kernel.pages.outstanding().keys()].filter((owner) => owner !== 'kernel')).toEqual([]);
  expect([...kernel.slab.outstanding().keys()]).toEqual(['memory notifier']);
  expect(kernel.tdx.memlist).toEqual([]);
  expect(kernel.tdx.tdmrs).toEqual([]);
};

const names = (machine: Bench, wanted: (event: MachineEvent) => boolean): string[] =>
  machine.platform.events.events.filter(wanted).map(({ name }) => name);

describe('a module that answers', () => {
  it('is initialised; TDMR_INFO structures lie 1024 bytes apart and say what was constructed', () => {
    const machine = bench();
    expect(boot(machine.kernel)).toBe(0);
    const { seam, kernel } = machine;
    expect(kernel.tdx.state).toBe('initialized');
    expect(seam.tdmrs[1]!.at - seam.tdmrs[0]!.at).toBe(1024);
    expect(seam.tdmrs.map(({ base, size, pamt }) => ({ base, size, pamt }))).toEqual(
      kernel.tdx.tdmrs.map(({ base, size, pamt }) => ({ base, size, pamt })),
    );
    for (const [i, tdmr] of seam.tdmrs.entries()) {
      const { base, reserved } = kernel.tdx.tdmrs[i]!;
      expect(tdmr.reserved.map((area) => ({ base: base + area.offset, size: area.size }))).toEqual(reserved);
    }
    expect(kernel.pages.outstanding().get('PAMT')).toBe(
      seam.tdmrs.reduce((sum, { pamt }) => sum + pamt['4k'].size + pamt['2m'].size + pamt['1g'].size, 0),
    );
  });

  it('[S1-36] gets no memory below 1 MiB', () => {
    const { kernel } = bench();
    boot(kernel);
    expect(kernel.memblock.memory[0]!.start).toBe(0);
    expect(Math.min(...kernel.tdx.memlist.map(({ start }) => start))).toBe(2 ** 20);
  });

  it('calls TDH.SYS.TDMR.INIT until the end of each TDMR and not once more', () => {
    const { kernel, seam } = bench();
    boot(kernel);
    expect(seam.count(TDH.SYS_TDMR_INIT)).toBe((4 * 2 ** 30) / seam.step);
  });

  it('[S0-16] takes the first private KeyID for itself and has the rest for TDs', () => {
    const { kernel } = bench();
    boot(kernel);
    expect(kernel.tdx.globalKeyId).toBe(16);
    expect([kernel.tdx.guestKeyIds!.first, kernel.tdx.guestKeyIds!.count]).toEqual([17, 47]);
  });
});

describe('TDH.SYS.KEY.CONFIG on all packages', () => {
  it('[S0-17] runs once a package, on its lowest-numbered online CPU', () => {
    const machine = bench({}, { lpsPerPackage: 3 });
    machine.kernel.cpus[3]!.online = false;
    boot(machine.kernel);
    const calls = machine.seam.calls.filter(({ leaf }) => leaf === TDH.SYS_KEY_CONFIG);
    expect(calls.map(({ lp }) => lp)).toEqual([0, 4]);
  });

  it('[S0-18] never overlaps with itself; in parallel one caller is told TDX_SYS_BUSY and initialisation fails', () => {
    const serial = bench();
    expect(boot(serial.kernel)).toBe(0);
    const [first, second] = serial.seam.calls.filter(({ leaf }) => leaf === TDH.SYS_KEY_CONFIG);
    expect(second!.start).toBeGreaterThanOrEqual(first!.end);

    const parallel = bench({ 'kernel.keyConfig': 'parallel' });
    expect(boot(parallel.kernel)).toBe(-EIO);
    const calls = parallel.seam.calls.filter(({ leaf }) => leaf === TDH.SYS_KEY_CONFIG);
    expect(calls.map(({ status }) => status)).toContain(TDX_SYS_BUSY);
    expect(calls).toHaveLength(2);
  });

  it('[S0-19] stops at the first package that fails and frees its mask on every path', () => {
    for (const failing of [0, 1, 2]) {
      const machine = bench({}, { packages: 3 });
      machine.seam.fail(TDH.SYS_KEY_CONFIG, TDX_OPERAND_INVALID, { skip: failing });
      expect(boot(machine.kernel)).toBe(-EIO);
      expect(machine.seam.count(TDH.SYS_KEY_CONFIG)).toBe(failing + 1);
      expectNothingLeft(machine);
    }
    const leaking = bench({ 'kernel.keyConfig.leakMask': 'on' });
    leaking.seam.fail(TDH.SYS_KEY_CONFIG, TDX_OPERAND_INVALID);
    boot(leaking.kernel);
    expect(leaking.kernel.slab.outstanding().get('package mask')).toBe(1);
  });

  it('[S0-20] without memory for the mask is -ENOMEM before any such SEAMCALL', () => {
    const machine = bench();
    machine.kernel.faults.failAllocation('package mask');
    expect(boot(machine.kernel)).toBe(-ENOMEM);
    expect(machine.seam.count(TDH.SYS_KEY_CONFIG)).toBe(0);
    expectNothingLeft(machine);
  });

  it('[S0-21] returns the errno of a call to a CPU that went offline, and tries no other package', () => {
    const machine = bench({}, { packages: 3 });
    // The first call to CPU 2 brings it online; the WBINVD is the second.
    machine.kernel.faults.failCall(2, { skip: 2 });
    expect(boot(machine.kernel)).toBe(-ENXIO);
    expect(machine.seam.calls.filter(({ leaf }) => leaf === TDH.SYS_KEY_CONFIG).map(({ lp }) => lp)).toEqual([0]);
    expectNothingLeft(machine);
  });

  it('[S0-22] turns a failed SEAMCALL into -EIO, and into -EFAULT under host-v7', () => {
    for (const [knobs, errno] of [
      [{}, -EIO],
      [HOST_V7, -EFAULT],
    ] as const) {
      const machine = bench(knobs);
      machine.seam.fail(TDH.SYS_KEY_CONFIG, TDX_OPERAND_INVALID);
      expect(boot(machine.kernel)).toBe(errno);
    }
  });

  it('[S0-24] is not tried again for lack of entropy under host-v7', () => {
    const machine = bench(HOST_V7);
    machine.seam.fail(TDH.SYS_KEY_CONFIG, TDX_RND_NO_ENTROPY, { count: 1 });
    expect(boot(machine.kernel)).toBe(-EFAULT);
    expect(machine.seam.count(TDH.SYS_KEY_CONFIG)).toBe(1);
  });

  it('[S0-25] is tried ten times in all for TDX_RND_NO_ENTROPY, and for no other status', () => {
    const nine = bench();
    nine.seam.fail(TDH.SYS_KEY_CONFIG, TDX_RND_NO_ENTROPY, { count: 9 });
    expect(boot(nine.kernel)).toBe(0);
    expect(nine.seam.calls.filter(({ leaf, lp }) => leaf === TDH.SYS_KEY_CONFIG && lp === 0)).toHaveLength(10);

    const ten = bench();
    ten.seam.fail(TDH.SYS_KEY_CONFIG, TDX_RND_NO_ENTROPY, { count: 10 });
    expect(boot(ten.kernel)).toBe(-EIO);
    expect(ten.seam.count(TDH.SYS_KEY_CONFIG)).toBe(10);

    const key = bench();
    key.seam.fail(TDH.SYS_KEY_CONFIG, TDX_KEY_GENERATION_FAILED, { count: 1 });
    expect(boot(key.kernel)).toBe(-EIO);
    expect(key.seam.count(TDH.SYS_KEY_CONFIG)).toBe(1);
  });
});

describe('the flush around the key configuration', () => {
  const INTERESTING: readonly string[] = [
    'instruction WBINVD on all CPUs',
    'seamcall TDH.SYS.KEY.CONFIG',
    'seamcall TDH.SYS.TDMR.INIT',
  ];
  const order = (machine: Bench): string[] => names(machine, ({ name, kind }) => INTERESTING.includes(`${kind} ${name}`));

  it('[S0-34] comes before the key; "after" still comes before the first TDH.SYS.TDMR.INIT', () => {
    const before = bench();
    boot(before.kernel);
    expect(order(before).slice(0, 4)).toEqual([
      'WBINVD on all CPUs',
      'TDH.SYS.KEY.CONFIG',
      'TDH.SYS.KEY.CONFIG',
      'TDH.SYS.TDMR.INIT',
    ]);
    const after = bench({ 'kernel.wbinvdWhen': 'after' });
    expect(boot(after.kernel)).toBe(0);
    expect(order(after).slice(0, 4)).toEqual([
      'TDH.SYS.KEY.CONFIG',
      'TDH.SYS.KEY.CONFIG',
      'WBINVD on all CPUs',
      'TDH.SYS.TDMR.INIT',
    ]);
  });

  it('runs on every online CPU, on one CPU alone, over the PAMTs alone, or nowhere', () => {
    const executions = (knobs: Record<string, string>): number => {
      const machine = bench(knobs);
      boot(machine.kernel);
      return machine.kernel.counters.wbinvd;
    };
    expect(executions({})).toBe(4);
    expect(executions({ 'kernel.wbinvdScope': 'local' })).toBe(1);
    expect(executions({ 'kernel.pamtFlush': 'clflush' })).toBe(0);
    expect(executions({ 'kernel.wbinvdBeforeKeyConfig': 'off' })).toBe(0);
  });

  it('[S0-37] happens after the mask was allocated; under host-v7 before', () => {
    for (const [knobs, flushes] of [
      [{}, 0],
      [{ 'kernel.wbinvdPlacement': 'caller' }, 1],
    ] as const) {
      const machine = bench(knobs);
      machine.kernel.faults.failAllocation('package mask');
      expect(boot(machine.kernel)).toBe(-ENOMEM);
      // The way back flushes once more: the label says that the PAMTs may have been written.
      expect(order(machine)).toHaveLength(flushes + 1);
    }
  });
});

describe('the way back', () => {
  const failAt = (leaf: bigint, knobs = {}, window = {}): Bench => {
    const machine = bench(knobs);
    machine.seam.fail(leaf, TDX_OPERAND_INVALID, window);
    expect(boot(machine.kernel)).toBeLessThan(0);
    return machine;
  };
  const flushes = (machine: Bench): number =>
    names(machine, ({ name, kind }) => kind === 'instruction' && name === 'WBINVD on all CPUs').length;

  it('flushes after a failed key and before the PAMTs go back', () => {
    const machine = bench();
    const order: string[] = [];
    const { pages } = machine.kernel;
    const free = pages.free_contig_range.bind(pages);
    pages.free_contig_range = (base, nr) => {
      order.push(`free ${pages.ownerOf(base)}`);
      free(base, nr);
    };
    machine.platform.events.subscribe(({ name, kind }, edge) => {
      if (edge === 'end' && kind === 'instruction' && name === 'WBINVD on all CPUs') order.push('flush');
    });
    machine.seam.fail(TDH.SYS_KEY_CONFIG, TDX_OPERAND_INVALID, { skip: 1 });
    expect(boot(machine.kernel)).toBe(-EIO);
    expect(order).toEqual(['flush', 'flush', 'free PAMT', 'free PAMT', 'free TDMR array']);
    const off = failAt(TDH.SYS_KEY_CONFIG, { 'kernel.flushOnInitError': 'off' }, { skip: 1 });
    expect(flushes(off)).toBe(1);
    expectNothingLeft(off);
  });

  it('[S0-45] resets the PAMTs on parts with the erratum, always, or never', () => {
    const reset = (knobs: Record<string, string>): [number, number] => {
      const machine = failAt(TDH.SYS_TDMR_INIT, knobs, { skip: 3 });
      return [
        machine.kernel.counters.resetLines,
        machine.seam.tdmrs.reduce((sum, { pamt }) => sum + (pamt['4k'].size + pamt['2m'].size + pamt['1g'].size) / 64, 0),
      ];
    };
    const [erratum, lines] = reset({ 'cpu.model': 'SPR' });
    expect(erratum).toBe(lines);
    expect(reset({ 'cpu.model': 'GNR' })[0]).toBe(0);
    expect(reset({ 'cpu.model': 'GNR', 'kernel.pamtReset': 'always' })[0]).toBe(lines);
    expect(reset({ 'cpu.model': 'SPR', 'kernel.pamtReset': 'never' })[0]).toBe(0);
  });

  it('[S0-47] from a failed TDH.SYS.CONFIG flushes nothing; under host-v7 once', () => {
    const upstream = failAt(TDH.SYS_CONFIG);
    expect(flushes(upstream)).toBe(0);
    expect(upstream.kernel.counters.resetLines).toBe(0);
    expectNothingLeft(upstream);
    const v7 = failAt(TDH.SYS_CONFIG, HOST_V7);
    expect(flushes(v7)).toBe(1);
    expectNothingLeft(v7);
  });

  it('[S0-48] host-v7 at patch 17/20 ends with -EINVAL, keys configured, PAMTs flushed and freed', () => {
    const machine = bench({ ...HOST_V7, 'kernel.initSteps': 'until-key-config' });
    expect(boot(machine.kernel)).toBe(-EINVAL);
    expect(machine.seam.count(TDH.SYS_KEY_CONFIG)).toBe(2);
    expect(machine.seam.count(TDH.SYS_TDMR_INIT)).toBe(0);
    expect(flushes(machine)).toBe(2);
    expectNothingLeft(machine);
    expect(boot(bench(HOST_V7).kernel)).toBe(0);
  });

  it('takes VMX operation back from every CPU', () => {
    const machine = failAt(TDH.SYS_TDMR_INIT);
    expect(machine.platform.lps.map(({ vmxOn }) => vmxOn)).toEqual([false, false, false, false]);
    expect(machine.kernel.cpuhpStates).toEqual([]);
  });
});

describe('the eight steps: with two things wrong the earlier one answers', () => {
  /** Each makes its step fail; `errno` is what that gives. */
  const steps: readonly { readonly step: string; readonly errno: number; readonly breakIt: (machine: Bench) => void }[] = [
    { step: '1 metadata', errno: -EIO, breakIt: ({ seam }) => seam.fail(TDH.SYS_RD, TDX_OPERAND_INVALID) },
    {
      step: '2 NO_RBP_MOD',
      errno: -EINVAL,
      breakIt: ({ seam }) => seam.fields.set(MD_SYS.TDX_FEATURES0, ~FEATURES0.NO_RBP_MOD & 0xffffn),
    },
    { step: '3 memory list', errno: -ENOMEM, breakIt: ({ kernel }) => kernel.faults.failAllocation('tdx_memlist') },
    { step: '4 TDMR array', errno: -ENOMEM, breakIt: ({ kernel }) => kernel.faults.failAllocation('TDMR array') },
    { step: '5 second PAMT', errno: -ENOMEM, breakIt: ({ kernel }) => kernel.faults.failAllocation('PAMT', { skip: 1 }) },
    { step: '6 pointer array', errno: -ENOMEM, breakIt: ({ kernel }) => kernel.faults.failAllocation('TDMR pointer array') },
    { step: '6 SYS.CONFIG', errno: -EIO, breakIt: ({ seam }) => seam.fail(TDH.SYS_CONFIG, TDX_OPERAND_INVALID) },
    { step: '7 mask', errno: -ENOMEM, breakIt: ({ kernel }) => kernel.faults.failAllocation('package mask') },
    { step: '7 SYS.KEY.CONFIG', errno: -EIO, breakIt: ({ seam }) => seam.fail(TDH.SYS_KEY_CONFIG, TDX_OPERAND_INVALID) },
    { step: '8 SYS.TDMR.INIT', errno: -EIO, breakIt: ({ seam }) => seam.fail(TDH.SYS_TDMR_INIT, TDX_TDMR_ALREADY_INITIALIZED) },
  ];

  const trace = (machine: Bench): string => machine.seam.calls.map(({ leaf }) => leaf).join();

  it.each(steps.map((step, i) => ({ ...step, i })))('step $step gives $errno and leaves nothing', ({ errno, breakIt, i }) => {
    const alone = bench();
    breakIt(alone);
    expect(boot(alone.kernel)).toBe(errno);
    expectNothingLeft(alone);
    expect(alone.kernel.tdx.errno).toBe(errno);
    const both = bench();
    for (const step of steps.slice(i)) step.breakIt(both);
    expect(boot(both.kernel)).toBe(errno);
    expect(trace(both)).toBe(trace(alone));
  });

  it('a module that names too many CPUID configurations is -EINVAL', () => {
    const machine = bench();
    machine.seam.fields.set(MD_SYS.NUM_CPUID_CONFIG, 129n);
    expect(boot(machine.kernel)).toBe(-EINVAL);
    expectNothingLeft(machine);
  });

  it('the version is printed even when it cannot be read', () => {
    const machine = bench();
    machine.seam.fields.delete(MD_SYS.MINOR_VERSION);
    expect(boot(machine.kernel)).toBe(-EIO);
    expect(machine.kernel.log.entries.find(({ facts }) => 'major_version' in facts)!.facts).toEqual({
      major_version: 0,
      minor_version: 0,
      update_version: 0,
    });
  });
});

describe('tdx_enable', () => {
  it("[S1-44] TDH.SYS.INIT runs once; its failure is every CPU's", () => {
    const machine = bench({ 'kernel.tdxInit': 'on-demand' });
    machine.seam.fail(TDH.SYS_INIT, TDX_OPERAND_INVALID, { count: 1 });
    const { kernel } = machine;
    boot(kernel);
    const errnos = kernel.cpus.map((_, id) =>
      run(
        kernel,
        function* (cpu) {
          x86_virt_get_ref(cpu);
          return yield* tdx_cpu_enable(cpu);
        },
        id,
      ),
    );
    expect(errnos).toEqual([-EIO, -EIO, -EIO, -EIO]);
    expect(machine.seam.count(TDH.SYS_INIT)).toBe(1);
  });

  it('[S0-53] on demand a failure sticks: the second caller gets -EINVAL and makes no SEAMCALL', () => {
    const machine = bench({ 'kernel.tdxInit': 'on-demand' });
    const { kernel, seam } = machine;
    seam.fail(TDH.SYS_CONFIG, TDX_OPERAND_INVALID);
    boot(kernel);
    for (const id of kernel.cpus.keys()) {
      run(
        kernel,
        function* (cpu) {
          x86_virt_get_ref(cpu);
          yield* tdx_cpu_enable(cpu);
        },
        id,
      );
    }
    expect(run(kernel, tdx_enable)).toBe(-EIO);
    const calls = seam.calls.length;
    expect(run(kernel, tdx_enable)).toBe(-EINVAL);
    expect(seam.calls.length).toBe(calls);
  });

  it('an LP.INIT that fails on the last CPU takes the others back', () => {
    const machine = bench();
    machine.seam.fail(TDH.SYS_LP_INIT, TDX_OPERAND_INVALID, { skip: 3 });
    expect(boot(machine.kernel)).toBe(-EIO);
    expect(machine.platform.lps.every(({ vmxOn }) => !vmxOn)).toBe(true);
    expect(machine.seam.count(TDH.SYS_RD)).toBe(0);
  });

  it('a package without an online CPU: found late, or by the precheck', () => {
    const offline = (knobs: Record<string, string>): Bench => {
      const machine = bench(knobs);
      expect(run(machine.kernel, (cpu) => cpu_down(cpu, 2))).toBe(0);
      expect(run(machine.kernel, (cpu) => cpu_down(cpu, 3))).toBe(0);
      expect(boot(machine.kernel)).toBe(-EIO);
      expectNothingLeft(machine);
      return machine;
    };
    const late = offline({});
    expect([late.seam.count(TDH.SYS_KEY_CONFIG), late.seam.count(TDH.SYS_TDMR_INIT)]).toEqual([1, 1]);
    const early = offline({ 'kernel.offlinePackagePolicy': 'precheck' });
    expect(early.seam.count(TDH.SYS_KEY_CONFIG)).toBe(0);
  });

  it('a machine without TDX in BIOS boots and says -ENODEV', () => {
    const machine = bench({ 'bios.tdx': 'off' });
    expect(boot(machine.kernel)).toBe(-ENODEV);
    expect(machine.kernel.log.lines('virt/tdx')).toEqual([]);
  });
});
