/** `seamline stress` when memory ends: what is said, what helps, and what is the same each time. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerStress } from '../../src/cli/commands/stress.ts';
import { STRESS_SHARDS } from '../../src/lab/stress/index.ts';
import { type Bundle, bundleCli } from './stress-bundle.ts';
import { run } from './terminal.ts';

const MIB = 2 ** 20;

let bundle: Bundle;
beforeAll(() => {
  bundle = bundleCli();
});
afterAll(() => bundle.remove());

const stress = (...args: string[]) =>
  run((program, { streams }) => registerStress(program, { streams, worker: bundle.worker, cores: 2 }), ['stress', ...args]);

const file = (name: string, program: object): string => {
  const path = join(bundle.directory, name);
  writeFileSync(path, JSON.stringify(program));
  return path;
};

/** Wider than 4 MiB a shard hold: each stops far from its end. */
const WIDE = ['--footprint', '1GiB', '--ops', '1e7', '--max-memory', '4MiB', '--mix', 'load=50,store=40,movdir64b=10'];

describe('a run whose shards run out of memory', () => {
  it('is the same with one worker and with two: operations, faults, counters, digest and what is said', async () => {
    const one = await stress(...WIDE, '--json', '--workers', '1');
    const two = await stress(...WIDE, '--json', '--workers', '2');
    expect([one.status, two.status]).toEqual([2, 2]);
    expect(one.stderr).toBe(two.stderr);
    const { host: hostOne, ...reportOne } = JSON.parse(one.stdout);
    const { host: hostTwo, ...reportTwo } = JSON.parse(two.stdout);
    expect(reportTwo).toEqual(reportOne);
    expect([hostOne.workers, hostTwo.workers]).toEqual([1, 2]);
    expect(reportOne).toMatchObject({ complete: false, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    const every = Array.from({ length: STRESS_SHARDS }, (_, shard) => shard);
    expect(reportOne.stopped).toMatchObject({ reason: 'out-of-memory', shortage: 'footprint', shards: every });
    const shards: { operations: number }[] = reportOne.shards;
    expect(reportOne.operations).toBe(shards.reduce((sum, { operations }) => sum + operations, 0));
    expect(Math.min(...shards.map(({ operations }) => operations))).toBeGreaterThan(0);
  });

  it('says how far it got, which limit it met, and a footprint that can be typed and does fit', async () => {
    const { stdout, stderr } = await stress(...WIDE);
    const [, fits] =
      /^seamline: shard 0 of 16: out of memory after \d+ operations: .* of 64 MiB touched took .* of 4 MiB, .*and 15 shards more: give --footprint (\d+[KM]iB), about what fits; or a larger --max-memory; or fewer --ops; .*\n$/.exec(
        stderr,
      ) ?? [];
    expect(fits).toBeDefined();
    expect(stdout).toMatch(
      /^incomplete: 16 shards out of memory after .*; the digest is that of any run with --max-memory 4MiB$/m,
    );
    expect(stdout).toMatch(/^digest {2}[0-9a-f]{64}$/m);
    expect(await stress(...WIDE.with(1, fits!))).toMatchObject({ status: 0, stderr: '' });
  });

  it('reports the most memory in use at one time, not the sum over shards that ran one after the other', async () => {
    const { host } = JSON.parse((await stress(...WIDE, '--json', '--workers', '1')).stdout);
    expect(host.maxShardMemoryBytes).toBe(4 * MIB);
    expect(host.peakMemoryBytes).toBeGreaterThan(2 * MIB);
    expect(host.peakMemoryBytes).toBeLessThanOrEqual(4 * MIB);
  });

  it('says how much was prepared when that alone is too much', async () => {
    const flags = ['--set', 'hw.crypto=eager', '--footprint', '1GiB', '--max-memory', '4MiB'];
    const { status, stdout, stderr } = await stress(...flags);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /while memory was prepared: .* of 64 MiB written took .* of 4 MiB, .*: give --footprint \d+[KM]iB, about/,
    );
    expect(stderr).not.toMatch(/--ops|--pattern/);
    expect(stdout).toMatch(/; no digest: nothing has been done$/m);
    expect(JSON.parse((await stress(...flags, '--json')).stdout)).toMatchObject({ digest: null, operations: 0 });
  });
});

describe('a machine that is larger than its memory', () => {
  it.each([
    [
      'caches',
      { hardware: { cacheSets: 65536 } },
      /caches of 65536 sets and 16 ways in each of 2 packages do not fit into 2 MiB/,
    ],
    ['regions', { footprint: '1GiB', region: 64 }, /tables of 1048576 regions do not fit into 2 MiB/],
    ['keys', { keyIds: { shared: 20000, private: 12000 }, packages: 8 }, /keys of 32001 KeyIDs in 8 packages do not fit/],
  ])('is told by what does not fit: %s', async (shortage, program, says) => {
    const flags = [file(`${shortage}.json`, program), '--max-memory', '2MiB'];
    const { status, stdout, stderr } = await stress(...flags);
    expect(status).toBe(2);
    expect(stderr).toMatch(says);
    expect(stderr.split('\n')).toHaveLength(2);
    expect(stdout).toMatch(/^incomplete: 16 shards out of memory after 0 of 100,000,000 operations \(0 %\); no digest: nothing/m);
    const report = JSON.parse((await stress(...flags, '--json')).stdout);
    expect(report).toMatchObject({ digest: null, operations: 0, shards: [], stopped: { shortage } });
    expect(report.stopped.message).toBe(stderr.slice('seamline: '.length, -1));
  });

  it('is told which caches would fit, and they do', async () => {
    const { stderr } = await stress(file('caches.json', { hardware: { cacheSets: 65536 } }), '--max-memory', '2MiB');
    const [, sets] =
      /; (\d+) sets do, .*: give fewer hw\.cache\.sets or hw\.cache\.ways; or a larger --max-memory\n$/.exec(stderr) ?? [];
    const small = await stress('--set', `hw.cache.sets=${sets}`, '--max-memory', '2MiB', '--footprint', '64KiB', '--ops', '100');
    expect(small.stderr).not.toMatch(/before the start/);
    const larger = await stress('--set', `hw.cache.sets=${2 * Number(sets)}`, '--max-memory', '2MiB', '--ops', '100');
    expect(larger.stderr).toMatch(/before the start: caches of/);
  });
});
