/** A run from its start to its end, whoever ends it. */
import {
  mergeStressResults,
  STRESS_SHARDS,
  type StressMemoryFacts,
  type StressResult,
  shardOperations,
} from '../../lab/stress/index.ts';
import { type Job, runShards } from './pool.ts';
import type { Scoreboard } from './scoreboard.ts';
import { onStopSignal, type StopSignal } from './signals.ts';
import type { ShardOutcome } from './worker.ts';

/** Why a run ended before its last operation. */
export type Stop =
  | { readonly reason: 'interrupted'; readonly signal: StopSignal }
  /** `facts` are those of the first of the shards. */
  | { readonly reason: 'out-of-memory'; readonly shards: readonly number[]; readonly facts: StressMemoryFacts };

export interface Ran {
  /** The shards that had begun, in their order. */
  readonly shards: readonly StressResult[];
  /** All of them together; null when there is none. */
  readonly sum: StressResult | null;
  /** Is what has been done the same wherever the run is repeated? Only then the sum has digests. */
  readonly repeatable: boolean;
  /** Null: every operation has been done. */
  readonly stop: Stop | null;
  readonly wallMs: number;
  /** The most bytes of Wasm memory that all shards together had in use at one time. */
  readonly peakMemory: number;
}

/** Runs the job. SIGINT, SIGTERM and SIGHUP end it with what has been done so far. */
export async function runJob(job: Job, module: WebAssembly.Module, board: Scoreboard, worker: URL): Promise<Ran> {
  let signal: StopSignal | undefined;
  const release = onStopSignal((name) => {
    signal = name;
    board.stop();
  });
  const started = performance.now();
  try {
    const outcomes = board.stopped ? NOTHING_BEGUN : await runShards(job, module, board, worker);
    const wallMs = performance.now() - started;
    const shards = outcomes.flatMap(({ result }) => result ?? []);
    const sum = shards.length === 0 ? null : mergeStressResults(renumber(shards));
    const stop = whyStopped(job, outcomes, signal);
    const all = shards.length === STRESS_SHARDS && shards.some(({ operations }) => operations > 0);
    const repeatable = all && (stop === null || (stop.reason === 'out-of-memory' && stop.facts.shortage !== 'host'));
    return { shards, sum, repeatable, stop, wallMs, peakMemory: board.read().peakMemory };
  } finally {
    release();
  }
}

const NOTHING_BEGUN: readonly ShardOutcome[] = Array.from({ length: STRESS_SHARDS }, () => ({ result: null, outOfMemory: null }));

/** The shards that have begun are the whole of what has been done; of a complete run, they are all. */
const renumber = (results: readonly StressResult[]): StressResult[] =>
  results.map((result, index) => ({ ...result, shard: { index, of: results.length } }));

/** A signal that came when every shard had met its end, or the end of its memory, has changed nothing. */
function whyStopped(job: Job, outcomes: readonly ShardOutcome[], signal: StopSignal | undefined): Stop | null {
  const cut = outcomes.some(
    ({ result, outOfMemory }, index) =>
      outOfMemory === null && result?.operations !== shardOperations(job.operations, { index, of: STRESS_SHARDS }),
  );
  if (cut && signal !== undefined) return { reason: 'interrupted', signal };
  const short = outcomes.flatMap(({ outOfMemory }, shard) => (outOfMemory === null ? [] : [{ shard, facts: outOfMemory }]));
  // What the host refuses to one shard has ended them all.
  const first = short.find(({ facts }) => facts.shortage === 'host') ?? short[0];
  if (first !== undefined) return { reason: 'out-of-memory', shards: short.map(({ shard }) => shard), facts: first.facts };
  if (cut) throw new Error('the shards stopped early, and nobody asked them to');
  return null;
}
