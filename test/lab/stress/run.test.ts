/** Slices, shards and the end of memory. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MemoryCore } from '../../../bindings/index.ts';
import {
  mergeStressResults,
  STRESS_SHARDS,
  StressMisuse,
  StressOutOfMemory,
  type StressProgram,
  type StressResult,
  StressRun,
  shardOperations,
} from '../../../src/lab/index.ts';
import { type Program as OracleProgram, StressOracle } from '../../oracle/stress.ts';
import { BUSY, create, patterns, withHardware } from './programs.ts';

const MIB = 2 ** 20;

function resultOf(program: StressProgram, ...slices: number[]): StressResult {
  const run = new StressRun(program);
  for (const operations of slices) run.run(operations);
  return run.result;
}

/** A core whose `nth` load answers with one bit changed. */
function lying(core: MemoryCore, nth: number, bit: number): MemoryCore {
  let loads = 0;
  return new Proxy(core, {
    get(target, name) {
      if (name !== 'load')
        return typeof target[name as 'load'] === 'function' ? target[name as 'load'].bind(target) : target[name as never];
      return (...args: Parameters<MemoryCore['load']>) => {
        const status = target.load(...args);
        if (++loads === nth && status === 0) target.mailbox.u8[bit >> 3]! ^= 1 << (bit & 7);
        return status;
      };
    },
  });
}

describe('slices', () => {
  it('ten runs of 100 are one run of 1000, whatever the pattern', () => {
    fc.assert(
      fc.property(patterns, fc.array(fc.nat(300), { maxLength: 8 }), (pattern, slices) => {
        const program = { ...BUSY, pattern };
        const sum = slices.reduce((total, slice) => total + slice, 0);
        expect(resultOf(program, ...slices)).toEqual(resultOf(program, sum));
      }),
      { numRuns: 30, seed: 1 },
    );
    expect(resultOf(BUSY, ...Array.from({ length: 10 }, () => 100))).toEqual(resultOf(BUSY, 1000));
  });

  it('counts every operation once', () => {
    const { operations, byOperation } = resultOf(BUSY, 5000);
    expect(operations).toBe(5000);
    expect(Object.values(byOperation).reduce((sum, count) => sum + count, 0)).toBe(5000);
  });
});

describe('the digest', () => {
  it('changes with the seed, and with one bit of one answer', () => {
    const seen = new Set([resultOf(BUSY, 500).digest, resultOf({ ...BUSY, seed: 2 }, 500).digest]);
    for (const [nth, bit] of [
      [1, 0],
      [7, 63],
      [7, 62],
      [100, 31],
    ] as const) {
      const oracle = new StressOracle(BUSY as OracleProgram, (config) => lying(create(config), nth, bit));
      oracle.run(500);
      seen.add(oracle.outcome.digest);
    }
    expect(seen.size).toBe(6);
  });

  it('takes a seed as a number, a string or a bigint', () => {
    const digests = [255, '255', '0xff', 255n].map((seed) => resultOf({ ...BUSY, seed }, 200).digest);
    expect(new Set(digests).size).toBe(1);
  });
});

describe('shards', () => {
  const shards = (program: StressProgram, operations: number): StressResult[] =>
    Array.from({ length: STRESS_SHARDS }, (_, index) => {
      const shard = { index, of: STRESS_SHARDS };
      const run = new StressRun(program, shard);
      run.run(shardOperations(operations, shard));
      return run.result;
    });

  it('are merged in any order to the same result', () => {
    const program = { ...BUSY, footprint: 333 * 64 };
    const results = shards(program, 10_007);
    const merged = mergeStressResults(results);
    expect(merged.operations).toBe(10_007);
    expect(merged.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(mergeStressResults([...results].reverse())).toEqual(merged);
    expect(mergeStressResults(shards(program, 10_007)).digest).toBe(merged.digest);
    expect(mergeStressResults(shards({ ...program, seed: 2 }, 10_007)).digest).not.toBe(merged.digest);
    expect(new Set(results.map(({ digest }) => digest)).size).toBe(STRESS_SHARDS);
  });

  it('must all be there, once', () => {
    const results = shards(BUSY, 160);
    for (const bad of [results.slice(1), [...results, results[0]!], []])
      expect(() => mergeStressResults(bad)).toThrow(StressMisuse);
  });

  it('get operations and lines by a fixed rule', () => {
    const parts = Array.from({ length: 16 }, (_, index) => shardOperations(1e9 + 7, { index, of: 16 }));
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(1e9 + 7);
    expect(Math.max(...parts) - Math.min(...parts)).toBe(1);
  });
});

describe('memory', () => {
  const big: StressProgram = {
    ...BUSY,
    footprint: 512 * MIB,
    region: 2 * MIB,
    mix: { load: 40, store: 40, movdir64b: 20 },
    keyIds: { ...BUSY.keyIds, cross: 0 },
  };
  const limit = { maxMemoryBytes: 16 * MIB };
  const whole = { index: 0, of: 1 };

  function exhaust(body: () => void): StressOutOfMemory & { facts: { fits: number } } {
    try {
      body();
    } catch (error) {
      if (error instanceof StressOutOfMemory && error.facts.fits !== null) return error as ReturnType<typeof exhaust>;
      throw error;
    }
    throw new Error('it did not run out');
  }

  it.each([
    ['lazy', big],
    ['eager', withHardware({ ...big, prepare: false }, { crypto: 'eager' })],
    ['without provenance', withHardware(big, { provenance: false })],
    ['in order', { ...big, pattern: { kind: 'sequential' as const } }],
    ['with WBINVDs pending', { ...big, mix: { ...big.mix, wbinvd: 0.01 } }],
  ])('that runs out stops a run between two operations: %s', (_name, program) => {
    const run = new StressRun(program, whole, limit);
    const error = exhaust(() => run.run(1e6));
    const { result } = run;
    expect(error.facts.operations).toBe(result.operations);
    expect(error.facts.operations).toBeGreaterThan(100);
    expect(error.facts.memoryUsed).toBeLessThanOrEqual(error.facts.memoryLimit);
    expect(error.facts.touched).toBeLessThan(error.facts.footprint);
    expect(error.message).toContain(`after ${error.facts.operations} operations`);
    // What was done is right: a machine with room does the same up to there.
    const roomy = new StressRun(program);
    roomy.run(error.facts.operations);
    for (const name of ['digest', 'provenanceDigest', 'byOperation', 'faults'] as const) {
      expect(result[name]).toEqual(roomy.result[name]);
    }
    expect(() => run.run(1)).toThrow(error);
    expect(run.result).toEqual(result);
    const fits = new StressRun({ ...program, footprint: error.facts.fits }, whole, limit);
    fits.run(2e5);
    expect(fits.result.operations).toBe(2e5);
  });

  it('runs out at the same operation whatever the slices', () => {
    const ended = (slice: number): StressResult => {
      const run = new StressRun({ ...big, mix: { ...big.mix, wbinvd: 0.01, rekey: 0.01 } }, whole, limit);
      exhaust(() => {
        for (let done = 0; done < 1e6; done += slice) run.run(slice);
      });
      return run.result;
    };
    const result = ended(1e6);
    expect(result.operations).toBeGreaterThan(1000);
    for (const slice of [999, 77_777]) expect(ended(slice)).toEqual(result);
  });

  it('is not the matter when more keys have been used than a machine can tell apart', () => {
    const run = new StressRun({
      ...BUSY,
      packages: 1,
      footprint: 2 ** 30,
      region: 0,
      pattern: { kind: 'sequential' },
      keyIds: { shared: 0, private: 1, privateShare: 1, cross: 0 },
      mix: { rekey: 50, movdir64b: 50 },
    });
    let error: unknown;
    try {
      run.run(8e6);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(StressOutOfMemory);
    const { message, facts } = error as StressOutOfMemory;
    expect(message).toMatch(
      /^after \d+ operations, .* nearly 2\^20 different keys, .*: give less weight to rekey, fewer operations$/,
    );
    expect(facts).toMatchObject({ shortage: 'generations', operations: run.result.operations, fits: null });
  });

  it('that does not even hold the prepared footprint says so', () => {
    const program = withHardware(big, { crypto: 'eager' });
    const error = exhaust(() => new StressRun(program, { index: 3, of: 8 }, limit));
    expect(error.facts.operations).toBe(0);
    expect(error.message).toContain('shard 3 of 8');
    expect(error.facts.touched).toBeGreaterThan(2 * MIB);
    expect(error.facts.fits).toBeGreaterThan(8 * MIB);
    new StressRun({ ...program, footprint: error.facts.fits }, { index: 3, of: 8 }, limit).run(1000);
  });

  it('stays as it is when the footprint is bounded', () => {
    const run = new StressRun(BUSY);
    run.run(2_200_000);
    const { memoryUsed } = run.result;
    run.run(1_000_000);
    expect(Math.abs(run.result.memoryUsed / memoryUsed - 1)).toBeLessThan(0.02);
  });
});
