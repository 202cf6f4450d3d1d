/** 10⁸ operations over a bounded footprint: what is freed is used again. */
import { describe, expect, it } from 'vitest';
import { DEFAULT_STRESS_PROGRAM, type StressProgram, StressRun } from '../../../src/lab/index.ts';

const SLICES = 20;
const SLICE = 5e6;

/** Everything that takes memory and gives it back: views, pages, MACs, poison, key instances, displacements. */
const CHURN: StressProgram = {
  ...DEFAULT_STRESS_PROGRAM,
  footprint: 2 ** 18,
  pattern: { kind: 'hot-set', fraction: 0.2, probability: 0.8 },
  mix: {
    load: 45,
    store: 30,
    movdir64b: 15,
    movnti: 1,
    clflush: 4,
    wbinvd: 0.001,
    evict: 0.1,
    'dma-read': 1,
    'dma-write': 1,
    rekey: 0.0002,
    walk: 1,
    flip: 0.05,
  },
};

describe('memory use of a long stress run', () => {
  it('is flat over 100 million operations', { timeout: 300_000 }, () => {
    const run = new StressRun(CHURN);
    const used = Array.from({ length: SLICES }, () => {
      run.run(SLICE);
      return run.result.memoryUsed;
    });
    expect(run.result.operations).toBe(1e8);
    expect(run.result.byOperation.rekey).toBeGreaterThan(100);
    expect(run.result.byOperation.wbinvd).toBeGreaterThan(500);
    expect(Math.max(...used)).toBeLessThan(used[0]! * 1.05);
  });
});
