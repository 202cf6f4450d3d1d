import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerStress } from '../../src/cli/commands/stress.ts';
import {
  DEFAULT_STRESS_PROGRAM,
  mergeStressResults,
  STRESS_OPERATIONS,
  STRESS_PATTERNS,
  STRESS_PRESETS,
  STRESS_SHARDS,
  type StressProgram,
  StressRun,
  shardOperations,
} from '../../src/lab/stress/index.ts';
import { type Bundle, bundleCli } from './stress-bundle.ts';
import { run, type Terminal, withColors } from './terminal.ts';

let bundle: Bundle;
beforeAll(() => {
  bundle = bundleCli();
});
afterAll(() => bundle.remove());

const stress = (args: readonly string[], terminal?: Terminal) =>
  run(
    (program, { streams }) => registerStress(program, { streams, worker: bundle.worker, cores: 2 }),
    ['stress', ...args],
    terminal,
  );

/** Runs with `--json` and gives what it printed. */
async function json(...args: string[]) {
  const { status, stdout, stderr } = await stress([...args, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

const SMALL = ['--ops', '20k', '--footprint', '1MiB'];

/** The same work with neither workers nor slices. */
function inProcess(changes: Partial<StressProgram>, operations: number) {
  const program = { ...DEFAULT_STRESS_PROGRAM, ...changes };
  return mergeStressResults(
    Array.from({ length: STRESS_SHARDS }, (_, index) => {
      const shard = { index, of: STRESS_SHARDS };
      const machine = new StressRun(program, shard);
      machine.run(shardOperations(operations, shard));
      return machine.result;
    }),
  );
}

describe('seamline stress', () => {
  it('has the same digest, faults and counters with one worker, with two, and with none', async () => {
    const changes = { footprint: 2 ** 20, seed: 7, mix: { load: 50, store: 30, movdir64b: 15, wbinvd: 0.01, flip: 5 } };
    const mix = Object.entries(changes.mix).map(([name, weight]) => `${name}=${weight}`);
    const flags = [...SMALL, '--mix', mix.join()];
    const one = await json(...flags, '--seed', '7', '--workers', '1');
    const two = await json(...flags, '--seed', '7', '--workers', '2');
    const { host: hostOne, ...same } = one;
    const { host: hostTwo, ...again } = two;
    expect(again).toEqual(same);
    expect([hostOne.workers, hostTwo.workers]).toEqual([1, 2]);
    const { digest, provenanceDigest, faults, byOperation, counters } = inProcess(changes, 20_000);
    expect(same).toMatchObject({ digest, provenanceDigest, faults, byOperation, counters });
    expect(faults.mac + faults['td-bit'] + faults.poison).toBeGreaterThan(0);
    expect((await json(...flags, '--seed', '8')).digest).not.toBe(digest);
  });

  it('prints JSON with a schema, 64-bit values as text, and what depends on the host apart', async () => {
    const report = await json(...SMALL, '--seed', '0xffffffffffffffff');
    expect(Object.keys(report)).toEqual([
      'schema',
      'program',
      'requested',
      'operations',
      'complete',
      'stopped',
      'byOperation',
      'faults',
      'digest',
      'provenanceDigest',
      'counters',
      'shards',
      'host',
    ]);
    expect(report).toMatchObject({ schema: 'seamline/stress/2', requested: 20_000, operations: 20_000, complete: true });
    expect(report.stopped).toBeNull();
    expect(report.program).toEqual({ ...DEFAULT_STRESS_PROGRAM, footprint: 2 ** 20, seed: '0xffffffffffffffff' });
    expect(report.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(report.shards).toHaveLength(STRESS_SHARDS);
    expect(report.shards[3]).toEqual({ index: 3, operations: 1250, digest: expect.stringMatching(/^[0-9a-f]{16}$/) });
    expect(Object.keys(report.host)).toEqual([
      'wallMs',
      'operationsPerSecond',
      'workers',
      'peakMemoryBytes',
      'maxShardMemoryBytes',
    ]);
    expect(Object.values<number>(report.byOperation).reduce((sum, count) => sum + count, 0)).toBe(20_000);
  });

  it('runs the program that it has printed', async () => {
    const first = await json(...SMALL, '--preset', 'attack', '--pattern', 'hot-set:0.2', '--packages', '3', '--seed', '9');
    const path = join(bundle.directory, 'program.json');
    writeFileSync(path, JSON.stringify(first.program));
    const second = await json(path, '--ops', '20000');
    expect(second.program).toEqual(first.program);
    expect(second.program.pattern).toEqual({ kind: 'hot-set', fraction: 0.2, probability: 0.9 });
    expect(second.digest).toBe(first.digest);
  });

  it('puts flags over the file, and both over the default', async () => {
    const path = join(bundle.directory, 'part.json');
    writeFileSync(
      path,
      '{"footprint": "1MiB", "seed": 5, "packages": 1, "pattern": "ping-pong", "mix": {"store": 1}, "hardware": {"macBits": 20}}',
    );
    const { program } = await json(path, '--ops', '100', '--seed', '6', '--set', 'hw.tdBit=off', '--set', 'hw.aesBits=256');
    expect(program).toEqual({
      ...DEFAULT_STRESS_PROGRAM,
      footprint: 2 ** 20,
      seed: '0x0000000000000006',
      packages: 1,
      pattern: { kind: 'ping-pong', repeat: 2 },
      mix: { store: 1 },
      hardware: { ...DEFAULT_STRESS_PROGRAM.hardware, macBits: 20, tdBit: false, aesBits: 256 },
    });
  });

  it('gives the same digest with eager crypto', async () => {
    const flags = ['--ops', '2000', '--footprint', '64KiB', '--preset', 'attack'];
    const lazy = await json(...flags);
    const eager = await json(...flags, '--set', 'hw.crypto=eager');
    expect(eager.program.hardware.crypto).toBe('eager');
    expect(eager.digest).toBe(lazy.digest);
    expect(eager.counters.cryptoBlocks).toBeGreaterThan(lazy.counters.cryptoBlocks);
  });

  it('prints program, operations, faults, rate, memory and digest, and not a control character where there is no terminal', async () => {
    const { status, stdout, stderr } = await stress([...SMALL, '--workers', '2', '--set', 'hw.crypto=lazy']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(stdout).toMatch(
      /^program\n {2}pattern +uniform\n {2}mix +load 60, store 25,.*\n {2}footprint +1 MiB from 0x40000000 on\n/,
    );
    expect(stdout).toMatch(/^ {2}seed +0x0000000000000001$/m);
    expect(stdout).toMatch(/^ {2}knobs .*hw\.tdBit=on .*hw\.cache\.sets=0 .*hw\.crypto=lazy hw\.provenance=on/m);
    expect(stdout).toMatch(/^operations\n {2}load +1[12],\d{3} {2}\d\d\.\d{4} %$/m);
    expect(stdout).toMatch(/^faults\n {2}/m);
    expect(stdout).toMatch(
      /^20,000 operations in [\d.]+ s wall time, .*\/s with 2 workers on 16 shards, at most .* of Wasm memory at a time$/m,
    );
    const { digest } = inProcess({ footprint: 2 ** 20 }, 20_000);
    expect(stdout.split('\n').slice(-2)).toEqual([`digest  ${digest}`, '']);
  });

  it('shows a bar on the terminal behind stderr, wipes it, and leaves stdout to the results', async () => {
    const terminal = { isTTY: true, columns: 100 };
    const { stdout, stderr } = await withColors(undefined, () => stress(SMALL, terminal));
    expect(stderr).toMatch(/\[ *\] {2}0\.0 % {2}0 of 20\.0 k/);
    expect(stderr.endsWith('\u001b[2K')).toBe(true);
    expect(stdout).toContain('program');
    expect(stdout).not.toMatch(/\[[= ]{8,}\]/);
    const json = await withColors(undefined, () => stress([...SMALL, '--json'], terminal));
    expect(JSON.parse(json.stdout).complete).toBe(true);
    expect(json.stderr).toMatch(/0 of 20\.0 k/);
  });

  it('shows no bar on a terminal that cannot go back', async () => {
    const { TERM } = process.env;
    process.env.TERM = 'dumb';
    try {
      expect((await stress(SMALL, { isTTY: true, columns: 100 })).stderr).toBe('');
    } finally {
      process.env.TERM = TERM;
    }
  });

  it('lists patterns, operations, presets and faults', async () => {
    const { status, stdout, stderr } = await stress(['--list']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const { name, description } of [...STRESS_PATTERNS, ...STRESS_OPERATIONS, ...STRESS_PRESETS]) {
      expect(stdout.split('\n').filter((line) => line.startsWith(name) && line.includes(description))).toHaveLength(1);
    }
    const { schema, patterns, operations, presets } = JSON.parse((await stress(['--list', '--json'])).stdout);
    expect({ schema, patterns, operations, presets }).toEqual({
      schema: 'seamline/stress-list/2',
      patterns: STRESS_PATTERNS,
      operations: STRESS_OPERATIONS,
      presets: STRESS_PRESETS.map(({ program, ...preset }) => ({
        ...preset,
        program: { ...program, seed: '0x0000000000000001' },
      })),
    });
  });

  it('helps in 80 columns', async () => {
    const { status, stdout } = await stress(['--help']);
    expect(status).toBe(0);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/130 interrupted/);
  });
});
