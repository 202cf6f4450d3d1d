/** What a worker thread does: one shard after another, in slices so short that "stop" is heard. */
import { StressOutOfMemory, type StressProgram, type StressResult, StressRun, type StressShard } from '../../lab/stress/index.ts';
import { Scoreboard } from './scoreboard.ts';

/** One shard's work. */
export interface ShardTask {
  readonly program: StressProgram;
  readonly shard: StressShard;
  readonly operations: number;
  /** Most bytes of Wasm memory. */
  readonly maxMemoryBytes: number;
  /** The core, compiled once for all workers. */
  readonly module: WebAssembly.Module;
  readonly board: SharedArrayBuffer;
}

/**
 * What `StressOutOfMemory` says: class and fields of an error do not survive the way from thread to thread.
 * A machine that did not even come into being has a message only.
 */
export type OutOfMemory = Pick<StressOutOfMemory, 'message'> &
  Partial<Pick<StressOutOfMemory, 'operations' | 'memoryUsed' | 'memoryLimit' | 'footprint' | 'touched' | 'fits'>>;

export interface ShardOutcome {
  /** Null when the run had been stopped before the shard began, or its machine did not even fit into its memory. */
  readonly result: StressResult | null;
  readonly outOfMemory: OutOfMemory | null;
}

const FIRST_SLICE = 4096;
const MIN_SLICE = 256;
const MAX_SLICE = 2 ** 24;
/** A slice that takes as long as this leaves a stop unheard for a moment nobody feels. */
const SLICE_MS = 25;

/** Runs a shard to its end, or until it is stopped. A shard that runs out of memory stops all others. */
export default function runShard(task: ShardTask): ShardOutcome {
  const board = new Scoreboard(task.board);
  if (board.stopped) return { result: null, outOfMemory: null };
  let run: StressRun | undefined;
  try {
    run = new StressRun(task.program, task.shard, { maxMemoryBytes: task.maxMemoryBytes, module: task.module });
    runSlices(run, task, board);
    return { result: run.result, outOfMemory: null };
  } catch (error) {
    board.stop();
    return { result: run?.result ?? null, outOfMemory: explain(error) };
  } finally {
    if (run) board.post(task.shard.index, run.result, true);
  }
}

function explain(error: unknown): OutOfMemory {
  if (error instanceof StressOutOfMemory) {
    const { message, operations, memoryUsed, memoryLimit, footprint, touched, fits } = error;
    return { message, operations, memoryUsed, memoryLimit, footprint, touched, fits };
  }
  if (error instanceof Error && 'code' in error && error.code === 'OUT_OF_MEMORY') return { message: error.message };
  throw error;
}

function runSlices(run: StressRun, { operations, shard }: ShardTask, board: Scoreboard): void {
  let slice = FIRST_SLICE;
  for (let done = 0; done < operations && !board.stopped; ) {
    const next = Math.min(slice, operations - done);
    const started = performance.now();
    run.run(next);
    const tookMs = performance.now() - started;
    done += next;
    board.post(shard.index, run.result, false);
    slice = nextSlice(slice, tookMs);
  }
}

/** Towards slices of {@link SLICE_MS}; at most twice as long as the last one, for what it met may have been cheap by luck. */
export function nextSlice(slice: number, tookMs: number): number {
  const wanted = Math.floor((slice * SLICE_MS) / Math.max(tookMs, 0.1));
  return Math.min(Math.max(wanted, MIN_SLICE), slice * 2, MAX_SLICE);
}
