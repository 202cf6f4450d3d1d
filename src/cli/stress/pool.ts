/** All shards of a program on a pool of worker threads. */
import { Piscina } from 'piscina';
import { STRESS_SHARDS, type StressProgram, shardOperations } from '../../lab/stress/index.ts';
import type { Scoreboard } from './scoreboard.ts';
import type { ShardOutcome, ShardTask } from './worker.ts';

export interface Job {
  readonly program: StressProgram;
  readonly operations: number;
  readonly workers: number;
  /** Most bytes of Wasm memory of a shard. */
  readonly maxMemoryBytes: number;
}

/** The worker's file, as compiled: Node 20 runs no TypeScript, so whoever runs the sources names a build of it. */
export const workerFile = new URL('./worker.js', import.meta.url);

/**
 * The outcome of every shard, in their order. Which worker runs which shard is left to chance, and does not matter: a shard is a
 * machine of its own. When a worker breaks, all end, and its error is thrown.
 */
export async function runShards(job: Job, module: WebAssembly.Module, board: Scoreboard, file: URL): Promise<ShardOutcome[]> {
  const pool = new Piscina<ShardTask, ShardOutcome>({
    filename: file.href,
    minThreads: job.workers,
    maxThreads: job.workers,
  });
  // A worker that breaks while it has no shard tells the pool, not a task.
  const broken = new Promise<never>((_, reject) => pool.on('error', reject));
  const { program, maxMemoryBytes } = job;
  const tasks = Array.from({ length: STRESS_SHARDS }, (_, index) => {
    const shard = { index, of: STRESS_SHARDS };
    const operations = shardOperations(job.operations, shard);
    return pool.run({ program, shard, operations, maxMemoryBytes, module, board: board.buffer });
  });
  try {
    return await Promise.race([Promise.all(tasks), broken]);
  } finally {
    board.stop();
    await pool.destroy();
  }
}
