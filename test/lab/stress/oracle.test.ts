/** Stress programs in the Wasm core, lazy and eager, and in the oracle on the eager model: one digest. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STRESS_PRESETS } from '../../../src/lab/index.ts';
import { BUSY, coreOutcome, oracleOutcome, patterns, programs, withHardware } from './programs.ts';

const PROGRAMS = Number(process.env.SEAMLINE_STRESS_PROGRAMS ?? 120);
const SEED = Number(process.env.SEAMLINE_SEED ?? 20_250_103);
/** 2^40 lines, but one. */
const VAST = { footprint: 2 ** 46 - 64, region: 2 ** 30, prepare: false };

describe('a stress program has one digest', () => {
  it.each([0, 1, 2, 3])(
    `${PROGRAMS / 4} random programs, part %i`,
    (part) => {
      fc.assert(
        fc.property(programs, fc.integer({ min: 100, max: 1500 }), (program, operations) => {
          const expected = oracleOutcome(program, operations);
          expect(coreOutcome(program, operations)).toEqual(expected);
          expect(coreOutcome(withHardware(program, { crypto: 'eager' }), operations)).toEqual(expected);
        }),
        { numRuns: Math.ceil(PROGRAMS / 4), seed: SEED + part },
      );
    },
    300_000,
  );

  it('every pattern, for 2,000 operations', () => {
    fc.assert(
      fc.property(patterns, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (pattern, seed) => {
        const program = { ...BUSY, pattern, seed };
        expect(coreOutcome(program, 2000)).toEqual(oracleOutcome(program, 2000));
      }),
      { numRuns: 12, seed: SEED },
    );
  }, 300_000);

  it('every pattern over 2^40 lines, in slices of 77 operations', () => {
    fc.assert(
      fc.property(patterns, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (pattern, seed) => {
        const program = withHardware({ ...BUSY, ...VAST, pattern, seed }, { maxPhysAddrBits: 52 });
        expect(coreOutcome(program, 1000, undefined, 77)).toEqual(oracleOutcome(program, 1000));
      }),
      { numRuns: 24, seed: SEED },
    );
  }, 300_000);

  it('a stride far apart, for more operations than a digit of the product counts', () => {
    // Seven lines are met: the oracle remembers all that it has seen.
    const apart = 2 ** 37;
    const pattern = { kind: 'strided', stride: 3 * apart } as const;
    const walk = { ...BUSY, ...VAST, footprint: 7 * apart * 64, pattern, mix: { load: 1 } };
    const program = withHardware(walk, { maxPhysAddrBits: 52, provenance: false });
    const operations = 2 ** 18 + 1000;
    expect(coreOutcome(program, operations, undefined, 100_003)).toEqual(oracleOutcome(program, operations));
  }, 300_000);

  it.each([
    ['unbounded', {}],
    ['bounded, LRU', { cacheSets: 4, cacheWays: 4 }],
    ['bounded, random', { cacheSets: 2, cacheWays: 8, cachePolicy: 'random' }],
    ['Li', { integrity: 'Li' }],
    ['a KeyID without a key faults', { unprogrammedKey: 'fault' }],
  ] as const)('caches and knobs: %s, with provenance and without', (_name, changes) => {
    const [on, off] = [true, false].map((provenance) => {
      const program = withHardware(BUSY, { ...changes, provenance });
      const expected = oracleOutcome(program, 2000);
      expect(coreOutcome(program, 2000)).toEqual(expected);
      return expected;
    });
    expect(on!.digest).toBe(off!.digest);
    expect(on!.provenanceDigest).not.toBe(off!.provenanceDigest);
  });

  it('the shards of a program are those of the law', () => {
    for (const index of [0, 2]) {
      const shard = { index, of: 3 };
      expect(coreOutcome(BUSY, 300, shard)).toEqual(oracleOutcome(BUSY, 300, shard));
    }
  });

  it('meets every kind of fault, and every operation', () => {
    const program = withHardware(BUSY, { unprogrammedKey: 'fault' });
    const { faults, byOperation } = coreOutcome(program, 50_000);
    for (const count of [...Object.values(faults), ...Object.values(byOperation)]) expect(count).toBeGreaterThan(0);
  });
});

describe('long programs: lazy and eager crypto', () => {
  it.each(STRESS_PRESETS)(
    '$name',
    ({ program }) => {
      const small = { ...program, footprint: Math.min(program.footprint, 2 ** 20) };
      const lazy = coreOutcome(small, 200_000);
      expect(coreOutcome(withHardware(small, { crypto: 'eager' }), 200_000)).toEqual(lazy);
    },
    120_000,
  );
});
