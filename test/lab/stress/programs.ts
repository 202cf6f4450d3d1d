/** Random stress programs, small enough for the oracle. */
import fc from 'fast-check';
import type { MemoryCore } from '../../../bindings/index.ts';
import {
  DEFAULT_STRESS_PROGRAM,
  STRESS_OPERATIONS,
  type StressHardware,
  type StressPattern,
  type StressProgram,
  StressRun,
  type StressShard,
} from '../../../src/lab/index.ts';
import { EagerCore } from '../../oracle/eager-core.ts';
import { type Program as OracleProgram, type Outcome, StressOracle } from '../../oracle/stress.ts';

const GIB = 2 ** 30;
const LINE = 64;

const share = fc.constantFrom(0, 0.1, 0.5, 0.9, 1);

export const patterns: fc.Arbitrary<StressPattern> = fc.oneof(
  fc.constant({ kind: 'sequential' as const }),
  fc.record({ kind: fc.constant('strided' as const), stride: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(2 ** 46)) }),
  fc.constant({ kind: 'uniform' as const }),
  fc.record({ kind: fc.constant('zipf' as const), s: fc.constantFrom(1 / 64, 0.5, 0.99, 1.2, 4) }),
  fc.record({ kind: fc.constant('hot-set' as const), fraction: share, probability: share }),
  fc.record({ kind: fc.constant('ping-pong' as const), repeat: fc.integer({ min: 2, max: 5 }) }),
);

/** WBINVD and re-keying now and then, or hardly anything would be left to see. */
const SELDOM = ['wbinvd', 'rekey'];

const mixes: fc.Arbitrary<StressProgram['mix']> = fc
  .tuple(...STRESS_OPERATIONS.map(({ name }) => fc.constantFrom(0, ...(SELDOM.includes(name) ? [0.05, 0.3] : [1, 5, 30]))))
  .map((weights) => ({ ...Object.fromEntries(STRESS_OPERATIONS.map(({ name }, i) => [name, weights[i]!])), load: 30 }));

const hardware: fc.Arbitrary<StressHardware> = fc.record({
  maxPhysAddrBits: fc.constantFrom(46, 52),
  integrity: fc.constantFrom('Ci' as const, 'Li' as const, 'none' as const),
  sharedIntegrity: fc.boolean(),
  macBits: fc.constantFrom(28, 28, 4, 1),
  tdBit: fc.constantFrom(true, true, false),
  checkOrder: fc.constantFrom('td-first' as const, 'mac-first' as const),
  unprogrammedKey: fc.constantFrom('tme' as const, 'fault' as const),
  partialWriteErratum: fc.boolean(),
  aesBits: fc.constantFrom(128 as const, 256 as const),
  cacheSets: fc.constantFrom(0, 0, 1, 2, 4),
  cacheWays: fc.constantFrom(1, 2, 4),
  cachePolicy: fc.constantFrom('lru' as const, 'random' as const),
  crypto: fc.constant('lazy' as const),
  provenance: fc.boolean(),
});

const keyIds = fc.record({
  shared: fc.integer({ min: 0, max: 2 }),
  private: fc.integer({ min: 1, max: 4 }),
  privateShare: fc.constantFrom(0, 0.5, 0.8, 1),
  cross: fc.constantFrom(0, 0.02, 0.3),
});

/** Up to 300 lines, near the end of a GiB, where the home package may change. */
export const programs: fc.Arbitrary<StressProgram> = fc
  .record({
    seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    before: fc.integer({ min: 0, max: 200 }),
    lines: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 300 })),
    region: fc.constantFrom(0, 64, 256, 4096, 2 ** 30),
    prepare: fc.boolean(),
    packages: fc.integer({ min: 1, max: 3 }),
    keyIds,
    pattern: patterns,
    mix: mixes,
    guestPages: fc.constantFrom(1, 20, 600),
    hardware,
  })
  .map(({ before, lines, ...rest }) => ({ ...rest, base: GIB - before * LINE, footprint: lines * LINE }));

export const create = (config: ConstructorParameters<typeof EagerCore>[0]): MemoryCore => new EagerCore(config);

/** The oracle's outcome after `operations` operations of the program. */
export function oracleOutcome(program: StressProgram, operations: number, shard?: StressShard): Outcome {
  const oracle = new StressOracle(program as OracleProgram, create, shard);
  oracle.run(operations);
  return oracle.outcome;
}

/** The same of the Wasm core, in slices. */
export function coreOutcome(program: StressProgram, operations: number, shard?: StressShard, slice = operations): Outcome {
  const run = new StressRun(program, shard);
  for (let left = operations; left > 0; left -= slice) run.run(Math.min(left, slice));
  const { operations: done, byOperation, faults, digest, provenanceDigest } = run.result;
  return { operations: done, byOperation, faults, digest, provenanceDigest };
}

export function withHardware(program: StressProgram, changes: Partial<StressHardware>): StressProgram {
  return { ...program, hardware: { ...program.hardware, ...changes } };
}

/** Every operation, over 256 lines that two homes share. */
export const BUSY: StressProgram = {
  ...DEFAULT_STRESS_PROGRAM,
  base: GIB - 128 * LINE,
  footprint: 256 * LINE,
  region: 256,
  keyIds: { shared: 2, private: 3, privateShare: 0.7, cross: 0.02 },
  guestPages: 600,
  mix: {
    load: 40,
    store: 25,
    movdir64b: 20,
    movnti: 3,
    clflush: 3,
    wbinvd: 0.1,
    evict: 2,
    'dma-read': 2,
    'dma-write': 2,
    rekey: 0.1,
    walk: 3,
    flip: 2,
  },
};
