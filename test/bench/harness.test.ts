/** Targets, statistics, arguments, rows and the result file. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import picocolors from 'picocolors';
import { medianSorted } from 'simple-statistics';
import { describe, expect, it } from 'vitest';
import { type Bench, expectBytes, expectEqual, idOf, type Metric, WrongAnswer } from '../../bench/harness/bench.ts';
import { artifact, commit, host, noiseProbe, runtime } from '../../bench/harness/environment.ts';
import { benchOptions, countsOptions, Misuse } from '../../bench/harness/options.ts';
import { QUICK } from '../../bench/harness/protocol.ts';
import { type ResultFile, type ResultRow, resultFile, save } from '../../bench/harness/result-file.ts';
import { runBench, select, Unavailable } from '../../bench/harness/run.ts';
import { growthExponent, medianInterval, summarise } from '../../bench/harness/statistics.ts';
import { number, summaryLine, table } from '../../bench/harness/table.ts';
import { judge, parseTarget } from '../../bench/harness/target.ts';
import { interleave } from '../../bench/harness/timing.ts';
import { random } from '../../bench/harness/workload.ts';
import { suites } from '../../bench/suites/index.ts';

const exactly = (median: number) => ({ median, ci95: [median, median] as const });

describe('targets', () => {
  it.each([
    ['≥ 0.97 ×', '×', 0.97],
    ['≥ 1000 ×', '×', 1000],
    ['≥ 1,000 ×', '×', 1000],
    ['< 200 ns', 'ns', 200],
    ['< 1 µs', 'ns', 1000],
    ['≤ 10 ms', 'ns', 1e7],
    ['≤ 64 KiB', 'B', 65536],
    ['≤ 0.1', 'exponent', 0.1],
    ['≥ 350 M/s', '1/s', 3.5e8],
  ])('%s', (text, unit, bound) => {
    expect(parseTarget(text)).toMatchObject({ text, unit, bound });
  });

  it.each(['', '0.97 ×', '≥0.97', '≥ x', '≥ 3 furlongs', '> = 3', '≥ 3 × more'])('%j is no target', (text) => {
    expect(() => parseTarget(text)).toThrow(/write a sign, a number/);
  });

  it('keeps ≤ and < apart at the bound', () => {
    expect(parseTarget('≤ 6 ns').holds(6)).toBe(true);
    expect(parseTarget('< 6 ns').holds(6)).toBe(false);
    expect(parseTarget('≥ 3 ×').holds(3)).toBe(true);
    expect(parseTarget('> 3 ×').holds(3)).toBe(false);
  });

  it('compares across units of one quantity, and refuses two quantities', () => {
    expect(judge('< 1 µs', 'ns/call', exactly(999)).verdict).toBe('pass');
    expect(judge('< 1 µs', 'ns/call', exactly(1000)).verdict).toBe('miss');
    expect(judge('≤ 64 KiB', 'KiB', exactly(64)).verdict).toBe('pass');
    expect(() => judge('≤ 64 KiB', 'ns', exactly(1))).toThrow(/cannot be compared/);
  });

  it('is unclear where the interval holds the bound, with the side of the median beside it', () => {
    expect(judge('≥ 1 ×', '×', { median: 1.1, ci95: [0.9, 1.2] })).toEqual({ verdict: 'unclear', reached: true });
    expect(judge('≥ 1 ×', '×', { median: 0.95, ci95: [0.9, 1.2] })).toEqual({ verdict: 'unclear', reached: false });
    expect(judge(null, '×', exactly(1))).toEqual({ verdict: 'none', reached: null });
  });
});

describe('statistics', () => {
  it('agrees with known values', () => {
    expect(summarise([5, 1, 3])).toEqual({ median: 3, ci95: [1, 5], mad: 2 });
    expect(() => summarise([])).toThrow('no samples');
  });

  /** Ranks for n = 6, 10, 20, 50 from a table of the binomial law: 1, 2, 6, 18. */
  it.each([
    [5, 1],
    [6, 1],
    [10, 2],
    [20, 6],
    [50, 18],
  ])('of %i samples the interval begins at rank %i', (n, rank) => {
    const sorted = Array.from({ length: n }, (_, i) => i + 1);
    expect(medianInterval(sorted)).toEqual([rank, n + 1 - rank]);
  });

  it('covers the true median about as often as it says, on either side of the normal approximation', () => {
    const next = random(11);
    for (const [n, trials] of [
      [21, 2000],
      [1501, 300],
    ] as const) {
      let covered = 0;
      for (let trial = 0; trial < trials; trial++) {
        const sorted = Array.from({ length: n }, () => next() / 2 ** 32).sort((a, b) => a - b);
        const [low, high] = medianInterval(sorted);
        if (low <= 0.5 && high >= 0.5) covered += 1;
        expect(low <= medianSorted(sorted) && medianSorted(sorted) <= high).toBe(true);
      }
      expect(covered / trials).toBeGreaterThan(0.93);
      expect(covered / trials).toBeLessThan(0.99);
    }
  });

  it('finds exponents', () => {
    const grown = (power: number) => [1, 10, 100].map((x): [number, number] => [x, 7 * x ** power]);
    expect(growthExponent(grown(1.5))).toBeCloseTo(1.5, 10);
    expect(growthExponent(grown(0))).toBeCloseTo(0, 10);
  });
});

describe('interleaving', () => {
  it('runs every side in every round, prepared anew, in changing order', () => {
    const log: string[] = [];
    const side = (name: string) => ({ prepare: () => void log.push(`p${name}`), run: () => void log.push(name) });
    const times = interleave([side('a'), side('b')], { ...QUICK, warmupMs: 0, pairs: 2 });
    expect(log.join('')).toBe('paapbb' + 'paapbb' + 'pbbpaa');
    expect(times.map((side) => side.length)).toEqual([2, 2]);
  });

  it('warms sides up that are prepared for every call, all alike', () => {
    const runs = [0, 0];
    const side = (at: number, prepare?: () => void) => ({ ...(prepare && { prepare }), run: () => void runs[at]!++ });
    interleave([side(0, () => {}), side(1, () => {})], { ...QUICK, warmupMs: 5, pairs: 2 });
    expect(runs[0]).toBeGreaterThan(100);
    expect(runs[1]).toBe(runs[0]);
  });
});

describe('arguments', () => {
  it('reads them', () => {
    expect(benchOptions(['--filter', 'sept', '--quick', '--json'])).toMatchObject({ filter: 'sept', quick: true, json: true });
    expect(countsOptions(['--counters'])).toEqual({ update: false, counters: true, filter: null });
  });

  it.each([
    [['--fliter', 'x'], /unknown option '--fliter'/],
    [['--filter'], /argument missing/],
    [['--filter', ' '], /--filter is empty/],
    [['sept'], /too many arguments/],
  ])('%j is misuse in one line', (argv, message) => {
    for (const parse of [benchOptions, countsOptions]) {
      expect(() => parse(argv)).toThrow(Misuse);
      expect(() => parse(argv)).toThrow(message);
      try {
        parse(argv);
      } catch (error) {
        expect((error as Error).message).not.toContain('\n');
      }
    }
  });

  it('does not rewrite a part of the baseline', () => {
    expect(() => countsOptions(['--update', '--filter', 'line'])).toThrow(/leave --filter out/);
  });
});

const metric = (samples: number[], exact?: true): Metric => ({ unit: '×', better: 'larger', samples, ...(exact && { exact }) });
const bench = (changes: Partial<Bench>): Bench => ({
  name: 'a/b',
  params: { size: '1 MiB' },
  target: '≥ 2 ×',
  run: () => ({ headline: metric([3, 3, 3]) }),
  ...changes,
});
const failing = (error: Error): Partial<Bench> => ({
  run: () => {
    throw error;
  },
});

describe('rows', () => {
  it.each([
    ['pass', {}],
    ['miss', { run: () => ({ headline: metric([1, 1]) }) }],
    ['wrong', failing(new WrongAnswer('digest'))],
    ['unavailable', failing(new Unavailable('no verb'))],
    ['failed', failing(new Error('broken'))],
  ] as const)('%s', async (verdict, changes) => {
    const row = await runBench(bench(changes), QUICK);
    expect(row.verdict).toBe(verdict);
    expect(row.metrics.headline === undefined).toBe(row.reason !== undefined);
  });

  it('does not begin with a target that nobody can read', async () => {
    await expect(runBench(bench({ target: 'fast' }), QUICK)).rejects.toThrow(/write a sign/);
  });

  it('selects by all words of name and parameters', () => {
    const benches = [bench({}), bench({ name: 'a/c', heavy: true })];
    expect(select(benches, 'MIB a/', false)).toHaveLength(2);
    expect(select(benches, 'a/ zzz', false)).toHaveLength(0);
    expect(select(benches, null, true).map(({ name }) => name)).toEqual(['a/b']);
  });

  it('answers that differ are found, with the place', () => {
    expect(() => expectEqual('x', 1, 2)).toThrow('x: got 1, expected 2');
    expect(() => expectBytes('x', Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toThrow('x: byte 1 of 2 is 2, expected 3');
    expect(() => expectBytes('x', Uint8Array.of(1), Uint8Array.of(1, 3))).toThrow(WrongAnswer);
    expect(() => expectBytes('x', Uint8Array.of(1), Uint8Array.of(1))).not.toThrow();
  });
});

describe('suites', () => {
  it('have names of their own, and targets that can be read', () => {
    expect(new Set(suites.map(idOf)).size).toBe(suites.length);
    for (const { target } of suites) if (target !== null) expect(parseTarget(target).text).toBe(target);
  });
});

async function result(): Promise<ResultFile> {
  const row = await runBench(bench({}), QUICK);
  const wrong = await runBench(bench({ name: 'a/c', ...failing(new WrongAnswer('digest')) }), QUICK);
  return resultFile.parse({
    schema: 'seamline-bench/1',
    date: '2026-11-21T14:00:00.000Z',
    commit: commit(),
    machine: host(),
    runtime: runtime(),
    artifact: artifact(),
    protocol: { ...QUICK, quick: true, filter: null },
    noiseProbe: noiseProbe(),
    benchmarks: [row, wrong],
  });
}

describe('result file', () => {
  it('is written once and never again', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'seamline-bench-'));
    try {
      const made = await result();
      const [first, second] = [save(made, directory), save({ ...made, benchmarks: [] }, directory)];
      expect(first).toMatch(/\/2026-11-21T140000Z-[0-9a-z]{7,9}\.json$/);
      expect(second).toBe(first.replace('.json', '-2.json'));
      expect(resultFile.parse(JSON.parse(readFileSync(first, 'utf8')))).toEqual(made);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('refuses a row without a figure and without a reason, and fields that nobody knows', async () => {
    const made = await result();
    const [row] = made.benchmarks as [ResultRow];
    expect(resultFile.safeParse({ ...made, benchmarks: [{ ...row, metrics: {} }] }).success).toBe(false);
    expect(resultFile.safeParse({ ...made, schema: 'seamline-bench/2' }).success).toBe(false);
    expect(resultFile.safeParse({ ...made, extra: 1 }).success).toBe(false);
  });
});

describe('table', () => {
  it('shows the result beside its target, and why there is none', async () => {
    const { benchmarks } = await result();
    const text = table(benchmarks, picocolors.createColors(false));
    expect(text).toMatch(/a\/b +1 MiB +3\.00 × +≥ 2 × +pass/);
    expect(text).toMatch(/a\/c +1 MiB +– +≥ 2 × +WRONG +digest/);
    expect(summaryLine(benchmarks)).toBe('1 of 1 targets reached, 1 wrong');
  });

  it.each([
    [0, '0'],
    [0.9731, '0.973'],
    [12.44, '12.4'],
    [1530.2, '1,530'],
    [0.00512, '0.0051'],
  ])('%d is shown as %s', (value, text) => {
    expect(number(value)).toBe(text);
  });
});
