/** The file of a run, `seamline-bench/1`: one a run, never overwritten. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const metric = z.strictObject({
  unit: z.string().min(1),
  better: z.enum(['smaller', 'larger']),
  exact: z.boolean().optional(),
  samples: z.array(z.number()).min(1),
  median: z.number(),
  ci95: z.tuple([z.number(), z.number()]),
  mad: z.number(),
});

const benchmark = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9-]+\/[a-z0-9-]+$/),
    params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    target: z.string().nullable(),
    verdict: z.enum(['pass', 'miss', 'unclear', 'none', 'wrong', 'unavailable', 'failed']),
    reached: z.boolean().nullable(),
    /** Why there is no figure. */
    reason: z.string().optional(),
    /** `headline` is what the target speaks of. */
    metrics: z.record(z.string(), metric),
    seconds: z.number(),
  })
  .refine((row) => (row.reason === undefined) === (row.metrics.headline !== undefined), 'a figure or a reason');

export const resultFile = z.strictObject({
  schema: z.literal('seamline-bench/1'),
  date: z.iso.datetime(),
  commit: z.strictObject({ sha: z.string(), parents: z.array(z.string()), date: z.string(), dirty: z.boolean() }),
  machine: z.strictObject({
    id: z.string(),
    cpu: z.string(),
    cores: z.int(),
    mem: z.int(),
    os: z.string(),
  }),
  runtime: z.strictObject({ node: z.string(), v8: z.string(), flags: z.array(z.string()) }),
  artifact: z.strictObject({ wasmSha256: z.string().length(64), wasmBytes: z.int(), asc: z.string() }),
  protocol: z.strictObject({
    pairs: z.int(),
    sideMs: z.number(),
    warmupMs: z.number(),
    timeMs: z.number(),
    processes: z.int(),
    seed: z.int(),
    interleaved: z.literal(true),
    quick: z.boolean(),
    filter: z.string().nullable(),
  }),
  noiseProbe: z.strictObject({ ns_per_op: z.array(z.number()), set_gb_per_s: z.array(z.number()) }),
  benchmarks: z.array(benchmark),
});

export type ResultFile = z.infer<typeof resultFile>;
export type ResultRow = ResultFile['benchmarks'][number];

/** Writes `DIRECTORY/<machine>/<date>-<sha>.json` and gives its path; a second file of the same second gets a number. */
export function save(result: ResultFile, directory: string): string {
  const folder = join(directory, result.machine.id);
  mkdirSync(folder, { recursive: true });
  const stem = `${result.date.replaceAll(':', '').replace(/\.\d+/, '')}-${result.commit.sha.slice(0, 9)}`;
  for (let copy = 1; ; copy++) {
    const path = join(folder, `${stem}${copy === 1 ? '' : `-${copy}`}.json`);
    try {
      writeFileSync(path, `${JSON.stringify(result, undefined, 1)}\n`, { flag: 'wx' });
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
