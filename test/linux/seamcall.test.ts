import { describe, expect, it } from 'vitest';
import { seamcall, seamcall_prerr, seamcall_prerr_ret, x86_virt_get_ref } from '../../src/linux/index.ts';
import type { HardwareException } from '../../src/platform/index.ts';
import { EACCES, EIO, ENODEV, EOPNOTSUPP } from '../../src/spec/errno.ts';
import { TDH } from '../../src/spec/leaves.ts';
import {
  TDX_KEY_CONFIGURED,
  TDX_OPERAND_INVALID,
  TDX_RND_NO_ENTROPY,
  TDX_SEAMCALL_GP,
  TDX_SEAMCALL_UD,
  TDX_SEAMCALL_VMFAILINVALID,
  TDX_SYS_BUSY,
} from '../../src/spec/status.ts';
import { type Bench, bench, boot, run } from './fake-seam.ts';

const inVmx = (machine: Bench): Bench => {
  for (const cpu of machine.kernel.cpus) x86_virt_get_ref(cpu);
  return machine;
};
const call = (machine: Bench): bigint => run(machine.kernel, (cpu) => seamcall(cpu, TDH.SYS_LP_INIT));
const errno = (machine: Bench): number => run(machine.kernel, (cpu) => seamcall_prerr(cpu, TDH.SYS_LP_INIT));

describe('software status codes and their errno', () => {
  const rows = [
    {
      what: '#GP',
      code: 0x8000_ff00_0000_000dn,
      name: TDX_SEAMCALL_GP,
      errno: -EOPNOTSUPP,
      make: () => inVmx(bench({ 'bios.seamrr': 'off' })),
    },
    { what: '#UD', code: 0x8000_ff00_0000_0006n, name: TDX_SEAMCALL_UD, errno: -EACCES, make: () => bench() },
    {
      what: 'VMfailInvalid',
      code: 0x8000_ff00_ffff_0000n,
      name: TDX_SEAMCALL_VMFAILINVALID,
      errno: -ENODEV,
      make: () => inVmx(bench({ 'bios.seamModule': 'absent' })),
    },
  ];

  it.each(rows)('[S1-04] $what becomes $code', ({ code, name, errno: expected, make }) => {
    expect(name).toBe(code);
    expect(call(make())).toBe(code);
    const machine = make();
    expect(errno(machine)).toBe(expected);
    expect(machine.kernel.log.entries).toEqual([]);
  });

  it('[S1-04] any other status that is not 0 is -EIO with a line in the log, informational ones too', () => {
    for (const status of [TDX_OPERAND_INVALID, TDX_KEY_CONFIGURED]) {
      const machine = inVmx(bench());
      machine.seam.fail(TDH.SYS_LP_INIT, status);
      expect(errno(machine)).toBe(-EIO);
      expect(machine.kernel.log.entries.map(({ facts }) => facts)).toEqual([
        { leaf: '0x23', status: `0x${status.toString(16)}` },
      ]);
    }
    expect(errno(inVmx(bench()))).toBe(0);
  });

  it('[S1-01] outside VMX operation and without SEAMRR the #UD comes first', () => {
    expect(call(bench({ 'bios.seamrr': 'off' }))).toBe(TDX_SEAMCALL_UD);
  });

  it('[S1-03] without exception-table entries the caller dies instead', () => {
    const machine = bench({ 'kernel.seamcallExceptions': 'oops' });
    const task = machine.platform.scheduler.spawn(
      machine.platform.lps[0]!,
      'caller',
      seamcall(machine.kernel.cpus[0]!, TDH.SYS_LP_INIT),
    );
    machine.platform.scheduler.run([task]);
    expect(task.state).toBe('failed');
    expect((task.outcome as HardwareException).vector).toBe('#UD');
    expect(machine.platform.lps[0]!.stopped).toBe('panic');
  });

  it('[S1-05] without a module initialisation says so once and ends with -ENODEV', () => {
    const machine = bench({ 'bios.seamModule': 'absent' });
    expect(boot(machine.kernel)).toBe(-ENODEV);
    expect(machine.kernel.log.lines('virt/tdx').filter((line) => line.includes('module not loaded'))).toHaveLength(1);
  });
});

describe('the wrapper', () => {
  it('prints the output registers in its _ret form', () => {
    const machine = inVmx(bench());
    machine.seam.fail(TDH.SYS_RD, TDX_OPERAND_INVALID);
    run(machine.kernel, (cpu) => seamcall_prerr_ret(cpu, TDH.SYS_RD, { rdx: 5n }));
    expect(machine.kernel.log.entries.at(-1)!.facts).toMatchObject({ rdx: '0x5' });
  });

  it('never tries again when the module is busy, and puts the operands back when it does try again', () => {
    const busy = inVmx(bench());
    busy.seam.fail(TDH.SYS_LP_INIT, TDX_SYS_BUSY);
    expect(call(busy)).toBe(TDX_SYS_BUSY);
    expect(busy.seam.calls).toHaveLength(1);

    const machine = inVmx(bench());
    const [[field, value]] = [...machine.seam.fields];
    machine.seam.fail(TDH.SYS_RD, TDX_RND_NO_ENTROPY, { count: 3 });
    const args = { rdx: field! };
    expect(run(machine.kernel, (cpu) => seamcall(cpu, TDH.SYS_RD, args))).toBe(0n);
    expect(args).toMatchObject({ r8: value });
    expect(machine.seam.calls).toHaveLength(4);
  });

  it('marks the cache of the calling CPU before the call, and no other', () => {
    const seen = (flag: 'before' | 'after'): boolean => {
      const machine = inVmx(bench({ 'kernel.incoherentFlag': flag }));
      let inside = false;
      const original = machine.seam.call.bind(machine.seam);
      machine.seam.call = function* (lp) {
        inside = machine.kernel.cpus[lp.id]!.cacheIncoherent;
        yield* original(lp);
      };
      call(machine);
      expect(machine.kernel.cpus.map(({ cacheIncoherent }) => cacheIncoherent)).toEqual([true, false, false, false]);
      return inside;
    };
    expect(seen('before')).toBe(true);
    expect(seen('after')).toBe(false);
  });
});

describe('detection at boot', () => {
  const tdxLog = (machine: Bench): string => machine.kernel.log.lines('virt/tdx').join('\n');

  it('[S1-08] gives the KeyIDs before the module is started', () => {
    const machine = bench({ 'kernel.tdxInit': 'on-demand' });
    boot(machine.kernel);
    expect(machine.seam.calls).toEqual([]);
    expect(machine.kernel.log.entries.find(({ facts }) => 'start' in facts)!.facts).toEqual({ start: 16, count: 48 });
  });

  it('[S1-37] refuses TDX while hibernation is possible, and takes ACPI S3 away', () => {
    const machine = bench({ 'kernel.hibernation': 'on' });
    expect(boot(machine.kernel)).toBe(-ENODEV);
    expect(tdxLog(machine)).toContain('Hibernation support is enabled');
    expect(machine.kernel.acpi.suspendToRam).toBe(true);
    const nohibernate = bench();
    expect(boot(nohibernate.kernel)).toBe(0);
    expect(nohibernate.kernel.acpi.suspendToRam).toBe(false);
  });

  it('[S1-38] wants two private KeyIDs: one is too few, none is no TDX at all', () => {
    const one = bench({ 'bios.tdxKeyIds': 1 });
    expect(boot(one.kernel)).toBe(-ENODEV);
    expect(tdxLog(one)).toContain('too few private KeyIDs');
    const none = bench({ 'bios.tdxKeyIds': 0 });
    expect(boot(none.kernel)).toBe(-ENODEV);
    expect(none.kernel.log.entries).toEqual([]);
    expect(boot(bench({ 'bios.tdxKeyIds': 2 }).kernel)).toBe(0);
  });

  it('[S1-06] [S1-07] by trying gives the same verdict as by the MSR, without a message and with one fault where BIOS has not enabled TDX', () => {
    const outcome = (detect: string, knobs: Record<string, string | number>): { errno: number; faults: number; log: number } => {
      const machine = bench({ 'kernel.detect': detect, ...knobs });
      if (knobs['bios.tdx'] === 'off') machine.platform.seam.range = null;
      let faults = 0;
      const original = machine.platform.seam.seamcall.bind(machine.platform.seam);
      machine.platform.seam.seamcall = function* (lp) {
        faults++;
        yield* original(lp);
        faults--;
      };
      const errno = boot(machine.kernel);
      return { errno, faults, log: machine.kernel.log.entries.length };
    };
    for (const knobs of [{}, { 'bios.tdx': 'off' }, { 'bios.seamModule': 'absent' }, { 'bios.tdxKeyIds': 1 }]) {
      expect(outcome('seamcall-only', knobs).errno).toBe(outcome('boot-msr', knobs).errno);
    }
    expect(outcome('seamcall-only', { 'bios.tdx': 'off' })).toEqual({ errno: -ENODEV, faults: 1, log: 0 });
    expect(outcome('boot-msr', { 'bios.tdx': 'off' })).toEqual({ errno: -ENODEV, faults: 0, log: 0 });
  });

  it('without memory for the notifier TDX stays off', () => {
    const machine = bench();
    machine.kernel.faults.failAllocation('memory notifier');
    expect(boot(machine.kernel)).toBe(-ENODEV);
    expect(machine.kernel.tdx.hostPlatform).toBe(false);
  });

  it('[S4-06] the erratum is decided by the CPU model', () => {
    const bug = (model: string): boolean => {
      const { kernel } = bench({ 'cpu.model': model });
      boot(kernel);
      return kernel.tdx.hasPartialWriteBug;
    };
    expect(['SPR', 'EMR', 'GNR'].map(bug)).toEqual([true, true, false]);
  });
});
