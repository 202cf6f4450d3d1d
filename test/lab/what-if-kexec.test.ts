/** Issue 2, second what-if: kexec from a kernel that leaves private memory behind, on parts with and without the partial-write erratum. */
import { describe, expect, it } from 'vitest';
import type { KnobVector } from '../../src/lab/knobs.ts';
import type { Machine } from '../../src/lab/machine.ts';
import { pamtRanges } from '../../src/linux/index.ts';
import { smallMap } from '../../src/platform/index.ts';
import { notOk, run, stepsOf } from './runs.ts';
import { booted, SmallTd } from './world.ts';

const V12 = { 'kexec.policy': 'v12' } as const;
const LEFT_BEHIND = { ...V12, 'kexec.reset': 'none', 'cpu.model': 'SPR' } as const;
/** TDR and control pages of a SmallTd. */
const TD_PAGES = 7;
const LINES_PER_PAGE = 64;
const AS_ON_HARDWARE = [expect.stringMatching(/^kexec: failed, -EIO/)];

describe('the main job with a kexec that resets nothing', () => {
  const broken = run({ knobs: LEFT_BEHIND });

  it('[S4-11] [S4-01] [S4-02] ends in the new kernel: its own partial write poisons an old PAMT line in silence, its next read is the #MC', () => {
    const { verdict, chain, attestation } = broken;
    expect(verdict).toMatchObject({ kind: 'mc', errno: '' });
    expect(verdict.text).toMatch(/machine check in kernel 2/);
    expect(attestation).not.toBeNull();
    expect(chain.map(({ role }) => role)).toEqual(['write', 'check', 'poison', 'machine-check', 'consequence']);
    const [write, check, poison, machineCheck, consequence] = chain;
    expect(write!.text).toMatch(/^TDH\.SYS\.TDMR\.INIT .* under KeyID 16 \(TD bit 1\)/);
    expect(check!.text).toMatch(/^kernel 2 works .* partial write/);
    expect(poison!.text).toMatch(/poisoned/);
    expect(machineCheck!.text).toMatch(/through KeyID 0: #MC$/);
    expect(consequence!.text).toMatch(/panic/);
    expect(consequence!.t).toBeGreaterThan(check!.t);
  });

  it('[S4-06] [S4-11] by counterfactual it takes the part, the policy and the missing reset', () => {
    expect(broken.causes.map(({ knob }) => knob).toSorted()).toEqual(['cpu.model', 'kexec.policy', 'kexec.reset']);
  });

  it.each<[string, KnobVector]>([
    ['[S4-13] the PAMTs are reset', { ...LEFT_BEHIND, 'kexec.reset': 'pamt' }],
    ['[S4-03] the part has no erratum', { ...LEFT_BEHIND, 'cpu.model': 'GNR' }],
    ['[S4-03] the erratum is switched off', { ...LEFT_BEHIND, 'cpu.erratum.pwMce': 'off' }],
  ])('%s: the new kernel works', (_, knobs) => {
    const report = run({ knobs });
    const { verdict, chain, steps } = report;
    expect([verdict.kind, chain]).toEqual(['ok', []]);
    expect(notOk(report)).toEqual(AS_ON_HARDWARE);
    expect(steps.at(-1)!.detail).toMatch(/[1-9]\d* partial stores, 0 wrong values/);
  });

  it('[S4-06] Emerald Rapids has the erratum too', () => {
    expect(run({ knobs: { ...LEFT_BEHIND, 'cpu.model': 'EMR' }, counterfactual: false }).verdict.kind).toBe('mc');
  });

  it('the reference profile refuses kexec on such a part, and there is nothing to go wrong', () => {
    const report = run({ knobs: { 'cpu.model': 'SPR' } });
    expect(report.verdict.kind).toBe('ok');
    expect(stepsOf(report, 'kexec')).toMatchObject([{ outcome: 'skipped', detail: 'refused: -EOPNOTSUPP' }]);
  });
});

/** Lines of all DRAM, without SEAM's own range, that are private, and that are poisoned. */
const state = ({ probe }: Machine): { privateLines: number; poisonedLines: number } => {
  const count = { privateLines: 0, poisonedLines: 0 };
  for (const { base, size } of smallMap.e820)
    probe.privateRuns(base, size, (_, lines, { tdBit, poison }) => {
      if (tdBit) count.privateLines += lines;
      if (poison) count.poisonedLines += lines;
    });
  return count;
};

describe('what the new kernel finds in memory', () => {
  /** A TD was there and went; a driver has already poisoned one PAMT line. */
  const afterKexec = (knobs: KnobVector): Machine => {
    const machine = booted({ ...V12, 'cpu.model': 'SPR', ...knobs });
    new SmallTd(machine).teardown();
    for (const lp of machine.platform.lps) lp.wbinvd();
    machine.platform.lps[0]!.directStore('nt-store', pamtRanges(machine.kernel!.tdx.tdmrs)[0]!.base, 4);
    expect(state(machine)).toMatchObject({ poisonedLines: 1 });
    expect(machine.kexec().kind).toBe('returned');
    return machine;
  };

  it('[S4-13] [S4-07] nothing private and no poison after a reset of all memory; without one both are still there', () => {
    expect(state(afterKexec({ 'kexec.reset': 'all', 'kexec.pageTable': 'identity' }))).toEqual({
      privateLines: 0,
      poisonedLines: 0,
    });
    const left = state(afterKexec({ 'kexec.reset': 'none' }));
    expect(left.poisonedLines).toBe(1);
    expect(left.privateLines).toBeGreaterThan(100_000);
  });

  it('[S4-13] a reset of the PAMTs alone leaves the pages of a TD that nobody converted', () => {
    const machine = afterKexec({ 'kexec.reset': 'pamt' });
    for (const { base, size } of pamtRanges(machine.kernel!.tdx.tdmrs))
      machine.probe.privateRuns(base, size, () => expect.unreachable());
    expect(state(machine)).toEqual({ privateLines: TD_PAGES * LINES_PER_PAGE, poisonedLines: 0 });
  });
});

describe('platform reset', () => {
  const poisoned = (): Machine => {
    const machine = booted({ 'cpu.model': 'SPR' });
    for (const lp of machine.platform.lps) lp.wbinvd();
    machine.platform.lps[0]!.directStore('nt-store', pamtRanges(machine.kernel!.tdx.tdmrs)[0]!.base, 4);
    return machine;
  };

  it('[S4-10] a fast warm reset leaves TD bits and poison in DRAM, a cold one nothing', () => {
    const warm = poisoned();
    const before = state(warm);
    expect(before.privateLines).toBeGreaterThan(100_000);
    warm.platform.reset('warm');
    expect(state(warm)).toEqual(before);
    const cold = poisoned();
    cold.platform.reset('cold');
    expect(state(cold)).toEqual({ privateLines: 0, poisonedLines: 0 });
  });

  it.each(['warm', 'cold'] as const)('[S4-10] after a %s reset SEAM is gone, and firmware brings TDX up again', (kind) => {
    const machine = booted({ 'cpu.model': 'GNR' });
    expect(machine.platform.seam.module).not.toBeNull();
    machine.platform.reset(kind);
    expect(machine.platform.seam.module).toBeNull();
    expect(machine.powerOn().kind).toBe('returned');
    expect(machine.bootLinux()).toEqual({ kind: 'returned', value: 0 });
  });
});
