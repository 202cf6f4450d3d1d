/** A run is its seed, its knobs and its input, and nothing else. */
import { describe, expect, it } from 'vitest';
import type { BootReport } from '../../src/lab/report.ts';
import { notOk, run } from './runs.ts';

/** Everything that the run computed: 64-bit values as text, and without the knobs themselves. */
const json = ({ knobs: _, ...rest }: BootReport): string =>
  JSON.stringify(rest, (__, value: unknown) => (typeof value === 'bigint' ? value.toString(16) : value));

describe('same seed, same knobs, same input', () => {
  const first = run();

  it('[SX-03] gives the same trace hash and the same report, byte by byte', () => {
    const again = run();
    expect(again.traceHash).toMatch(/^[0-9a-f]{64}$/);
    expect(again.traceHash).toBe(first.traceHash);
    expect(json(again)).toBe(json(first));
  });

  it('[SX-03] another seed gives another', () => {
    const other = run({ seed: 2n });
    expect(other.traceHash).not.toBe(first.traceHash);
    expect(other.attestation!.reportData).not.toBe(first.attestation!.reportData);
    expect(other.attestation!.mrtd).toBe(first.attestation!.mrtd);
  });

  it('[SX-03] a knob that changes what happens changes the hash; ciphertext computed at once does not', () => {
    expect(run({ knobs: { 'kernel.pamtFlush': 'clflush' } }).traceHash).not.toBe(first.traceHash);
    const eager = run({ knobs: { 'hw.crypto': 'eager' } });
    expect(eager.traceHash).toBe(first.traceHash);
    expect(eager.attestation).toEqual(first.attestation);
    expect(eager.steps).toEqual(first.steps);
  });

  it('[SX-03] so do failures: the same machine check, told in the same words', () => {
    const knobs = { 'kernel.wbinvdBeforeKeyConfig': 'off' } as const;
    const [a, b] = [run({ knobs, counterfactual: false }), run({ knobs, counterfactual: false })];
    expect(a.verdict.kind).toBe('mc');
    expect(b.chain).toEqual(a.chain);
    expect(b.traceHash).toBe(a.traceHash);
  });
});

describe('another order of events', () => {
  const seeded = (seed: bigint): BootReport => run({ seed, knobs: { 'hw.schedule': 'seeded' } });

  it('ends as well under a seeded schedule, and replays', () => {
    const reports = [1n, 2n].map(seeded);
    for (const report of reports) {
      expect(report.verdict.kind).toBe('ok');
      expect(notOk(report)).toEqual([expect.stringMatching(/^kexec: failed, -EIO/)]);
    }
    expect(new Set(reports.map(({ traceHash }) => traceHash)).size).toBe(reports.length);
    expect(seeded(1n).traceHash).toBe(reports[0]!.traceHash);
  });
});
