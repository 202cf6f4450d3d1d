/** A run from its start to its end, whoever ends it. */
import { mergeStressResults, type StressResult } from '../../lab/stress/index.ts';
import { type Job, runShards } from './pool.ts';
import type { Scoreboard } from './scoreboard.ts';
import { onStopSignal, type StopSignal } from './signals.ts';
import type { OutOfMemory, ShardOutcome } from './worker.ts';

/** Why a run ended before its last operation. */
export type Stop =
  | { readonly reason: 'interrupted'; readonly signal: StopSignal }
  | ({ readonly reason: 'out-of-memory'; readonly shard: number } & OutOfMemory);

export interface Ran {
  /** The shards that had begun, in their order. */
  readonly shards: readonly StressResult[];
  /** All of them together; null when there is none. */
  readonly sum: StressResult | null;
  /** Null: every operation has been done. */
  readonly stop: Stop | null;
  readonly wallMs: number;
}

/** Runs the job. SIGINT and SIGTERM end it with what has been done so far. */
export async function runJob(job: Job, module: WebAssembly.Module, board: Scoreboard, worker: URL): Promise<Ran> {
  let signal: StopSignal | undefined;
  const release = onStopSignal((name) => {
    signal = name;
    board.stop();
  });
  const started = performance.now();
  try {
    const outcomes = await runShards(job, module, board, worker);
    const wallMs = performance.now() - started;
    const shards = outcomes.flatMap(({ result }) => result ?? []);
    const sum = shards.length === 0 ? null : mergeStressResults(renumber(shards));
    // A signal that came when all was done has changed nothing.
    const complete = shards.length === outcomes.length && sum?.operations === job.operations;
    return { shards, sum, stop: complete ? null : whyStopped(outcomes, signal), wallMs };
  } finally {
    release();
  }
}

/** The shards that have begun are the whole of what has been done; of a complete run, they are all. */
const renumber = (results: readonly StressResult[]): StressResult[] =>
  results.map((result, index) => ({ ...result, shard: { index, of: results.length } }));

function whyStopped(outcomes: readonly ShardOutcome[], signal: StopSignal | undefined): Stop {
  const shard = outcomes.findIndex(({ outOfMemory }) => outOfMemory !== null);
  if (shard >= 0) return { reason: 'out-of-memory', shard, ...outcomes[shard]!.outOfMemory! };
  if (signal !== undefined) return { reason: 'interrupted', signal };
  throw new Error('the shards stopped early, and nobody asked them to');
}
