/** Stored digests of stress programs: they hold in Node and in a browser, in lazy and eager crypto and in the oracle. */
import { describe, expect, it } from 'vitest';
import {
  mergeStressResults,
  STRESS_SHARDS,
  type StressPattern,
  type StressProgram,
  StressRun,
  shardOperations,
} from '../../../src/lab/stress/index.ts';
import { BUSY, coreOutcome, oracleOutcome, withHardware } from '../../lab/stress/programs.ts';

const OPERATIONS = 1000;

const DIGESTS: readonly (readonly [StressPattern, string])[] = [
  [{ kind: 'sequential' }, 'f6e5ecaa502b9191'],
  [{ kind: 'strided', stride: 100 }, '109520af4e9624e2'],
  [{ kind: 'uniform' }, '5b35b564d52e9836'],
  [{ kind: 'zipf', s: 0.99 }, '5e00c6d902c482bf'],
  [{ kind: 'hot-set', fraction: 0.1, probability: 0.9 }, '1f01438dd23f634c'],
  [{ kind: 'ping-pong', repeat: 2 }, '759056826f14ae3c'],
];

const ALL_SHARDS = '49166559a649d9e2279cb5dc244b2aa11901e37d895981371a698e568bf00f3c';

function mergedDigest(program: StressProgram, operations: number): string {
  const results = Array.from({ length: STRESS_SHARDS }, (_, index) => {
    const shard = { index, of: STRESS_SHARDS };
    const run = new StressRun(program, shard);
    run.run(shardOperations(operations, shard));
    return run.result;
  });
  return mergeStressResults(results).digest;
}

describe('stored digests of stress programs', () => {
  it.each(DIGESTS)('%o', (pattern, digest) => {
    const program = { ...BUSY, pattern };
    expect(coreOutcome(program, OPERATIONS).digest).toBe(digest);
    expect(coreOutcome(withHardware(program, { crypto: 'eager' }), OPERATIONS).digest).toBe(digest);
    expect(oracleOutcome(program, OPERATIONS).digest).toBe(digest);
  });

  it('all shards, zipf over 64 MiB', () => {
    expect(mergedDigest({ ...BUSY, footprint: 2 ** 26, region: 0, pattern: { kind: 'zipf', s: 1.2 } }, 100_000)).toBe(ALL_SHARDS);
  });
});
