/** Memory that is prepared in slices, of whatever length, is the memory of the law. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type StressProgram, type StressResult, StressRun } from '../../../src/lab/index.ts';
import { BUSY, oracleOutcome, programs, withHardware } from './programs.ts';

const WHOLE = { index: 0, of: 1 };
const OPERATIONS = 300;

function prepared(program: StressProgram, slices: readonly number[]): StressResult {
  const run = new StressRun(program, WHOLE, { prepareLater: true });
  for (const lines of slices) run.prepare(lines);
  run.run(OPERATIONS);
  return run.result;
}

function atOnce(program: StressProgram): StressResult {
  const run = new StressRun(program);
  run.run(OPERATIONS);
  return run.result;
}

describe('preparation', () => {
  it('has one result, counters and memory in use included, whatever the slices and the crypto', () => {
    fc.assert(
      fc.property(programs, fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 6 }), fc.boolean(), (some, slices, eager) => {
        const program = withHardware(some, { crypto: eager ? 'eager' : 'lazy' });
        expect(prepared(program, slices)).toEqual(atOnce(program));
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it.each(['lazy', 'eager'] as const)('line by line gives the digest of the oracle: %s', (crypto) => {
    const { digest, faults } = prepared(withHardware(BUSY, { crypto }), Array(400).fill(1));
    expect({ digest, faults }).toEqual((({ digest, faults }) => ({ digest, faults }))(oracleOutcome(BUSY, OPERATIONS)));
  });

  it('goes no further than it is told, and a region at most when it costs nothing', () => {
    const program = { ...BUSY, footprint: 1024 * 64, region: 256 * 64 };
    const eager = new StressRun(withHardware(program, { crypto: 'eager' }), WHOLE, { prepareLater: true });
    expect(eager.preparation).toEqual({ done: 0, of: 1024 });
    expect(eager.prepare(100)).toBe(false);
    expect(eager.preparation.done).toBeGreaterThanOrEqual(100);
    expect(eager.preparation.done).toBeLessThan(100 + 64);
    const lazy = new StressRun(program, WHOLE, { prepareLater: true });
    lazy.prepare(1);
    expect(lazy.preparation.done).toBe(256);
    for (let i = 0; i < 3; i++) expect(lazy.prepare(1)).toBe(false);
    expect(lazy.prepare(1)).toBe(true);
  });

  it('is nothing when memory starts out untouched', () => {
    const run = new StressRun({ ...BUSY, prepare: false }, WHOLE, { prepareLater: true });
    expect(run.preparation).toEqual({ done: 0, of: 0 });
    expect(run.prepare(1)).toBe(true);
  });
});
