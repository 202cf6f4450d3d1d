/** The main job from power-on to kexec, judged from outside. */
import { describe, expect, it } from 'vitest';
import { parseTdvf } from '../../src/lab/firmware.ts';
import { measure } from '../../src/lab/measure.ts';
import { FIRMWARE, notOk, run, stepsOf } from './runs.ts';

const MRTD_BYTES = 48;
const hex = (bytes: number): RegExp => new RegExp(`^[0-9a-f]{${bytes * 2}}$`);

describe('the main job', () => {
  const report = run();
  const { seamcalls, attestation, steps, counters } = report;
  const calls = (leaf: string): number => seamcalls[`TDH.${leaf}`] ?? 0;

  it('ends well in every step; only TDX in the new kernel fails, as it does on real hardware', () => {
    expect(report.verdict).toMatchObject({ kind: 'ok', errno: '' });
    expect([report.findings, report.chain, report.causes]).toEqual([[], [], []]);
    expect(notOk(report)).toEqual([expect.stringMatching(/^kexec: failed, -EIO/)]);
    expect([...new Set(steps.map(({ phase }) => phase))]).toEqual(['firmware', 'linux', 'vmm', 'guest', 'teardown', 'kexec']);
    for (const { start, end } of steps) expect(end).toBeGreaterThanOrEqual(start);
  });

  it('[SX-22] comes to the MRTD that the image has by itself, page by page', () => {
    const { sections } = parseTdvf(FIRMWARE.bytes);
    expect(attestation!.mrtd).toBe(measure(sections).mrtd);
    expect(attestation!.mrtd).not.toBe(measure(sections, { order: 'two-pass' }).mrtd);
    expect(attestation!.mrtd).toMatch(hex(MRTD_BYTES));
    expect(attestation!.rtmrs.filter((rtmr) => /^0+$/.test(rtmr))).toHaveLength(3);
  });

  it('measures the image, not a constant', () => {
    const bytes = FIRMWARE.bytes.slice();
    const { sections } = parseTdvf(bytes);
    const measured = sections.find(({ name }) => name === 'BFV')!;
    bytes[measured.dataOffset]! ^= 1;
    const other = run({ firmware: { name: 'another', bytes } });
    expect(other.verdict.kind).toBe('ok');
    expect(other.attestation!.mrtd).toBe(measure(parseTdvf(bytes).sections).mrtd);
    expect(other.attestation!.mrtd).not.toBe(attestation!.mrtd);
  });

  it('[SX-05] its oracles have looked at something, all of them', () => {
    const amounts = [...report.verdict.text.matchAll(/(\d[\d,]*) ([a-zA-Z]+)/g)].map(([, count, what]) => [what, count]);
    const checked = Object.fromEntries(amounts.map(([what, count]) => [what, Number(count!.replaceAll(',', ''))]));
    for (const what of ['pamtLines', 'pamtEntries', 'freeBytes', 'calls', 'hostSights', 'hostWords', 'busLines', 'canaries'])
      expect([what, checked[what]]).toEqual([what, expect.any(Number)]);
    expect(Math.min(checked.pamtEntries!, checked.calls!, checked.hostWords!, checked.busLines!)).toBeGreaterThan(1000);
  });

  it('gives back what it took: pages, KeyIDs, control structures', () => {
    expect(calls('MNG.CREATE')).toBe(1);
    expect(calls('MNG.KEY.FREEID')).toBe(1);
    const given = ['MNG.CREATE', 'MNG.ADDCX', 'VP.CREATE', 'VP.ADDCX', 'MEM.SEPT.ADD'].map(calls);
    expect(given.every((count) => count > 0)).toBe(true);
    expect(calls('PHYMEM.PAGE.RECLAIM')).toBe(given.reduce((sum, count) => sum + count));
    expect(calls('MEM.PAGE.REMOVE')).toBe(calls('MEM.RANGE.BLOCK'));
    expect(calls('MEM.PAGE.ADD')).toBeGreaterThan(0);
    expect(calls('MR.EXTEND') % 16).toBe(0);
  });

  it('sees no machine check and no poison on the way', () => {
    expect(counters).toMatchObject({ poisonCreated: 0, poisonConsumed: 0 });
    expect(counters.macChecks).toBeGreaterThan(0);
    expect(stepsOf(report, 'aftermath')).toEqual([]);
  });
});
