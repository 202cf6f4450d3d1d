/** What a worker thread does: one shard after another, in slices so short that "stop" is heard. */
import {
  type StressMemoryFacts,
  StressOutOfMemory,
  type StressProgram,
  type StressResult,
  StressRun,
  type StressShard,
} from '../../lab/stress/index.ts';
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

export interface ShardOutcome {
  /** Null when the run had been stopped before the shard began, or its machine did not even fit into its memory. */
  readonly result: StressResult | null;
  /** What a `StressOutOfMemory` knows: the class of an error does not survive the way from thread to thread. */
  readonly outOfMemory: StressMemoryFacts | null;
}

/** Nobody knows yet how long an operation takes: it may be a WBINVD. */
const FIRST_SLICE = 16;
const MAX_SLICE = 2 ** 24;
/** A slice that takes as long as this leaves a stop unheard for a moment nobody feels. */
const SLICE_MS = 25;

/** Runs a shard to its end, or until it is stopped, or until its memory ends: then the others go on, for each has its own. */
export default function runShard(task: ShardTask): ShardOutcome {
  const board = new Scoreboard(task.board);
  if (board.stopped) return { result: null, outOfMemory: null };
  const { program, shard, maxMemoryBytes, module } = task;
  let run: StressRun | undefined;
  let outOfMemory: StressMemoryFacts | null = null;
  try {
    run = new StressRun(program, shard, { maxMemoryBytes, module, prepareLater: true });
    prepare(run, board);
    runOperations(run, task.operations, board);
  } catch (error) {
    if (!(error instanceof StressOutOfMemory)) throw error;
    outOfMemory = error.facts;
    // What the host refuses to one machine is for nobody to have.
    if (outOfMemory.shortage === 'host') board.stop();
  }
  const result = run?.result ?? null;
  board.post(shard.index, result ?? NOTHING, outOfMemory === null ? 'ended' : 'out-of-memory');
  return { result, outOfMemory };
}

const NOTHING = {
  operations: 0,
  memoryUsed: 0,
  faults: { 'td-bit': 0, mac: 0, 'unprogrammed-key': 0, 'partial-write': 0, poison: 0 },
};

function prepare(run: StressRun, board: Scoreboard): void {
  inSlices(board, (lines) => {
    const ready = run.prepare(lines);
    const { done, of } = run.preparation;
    board.post(run.shard.index, run.progress, ready ? 'running' : 'preparing', done / of);
    return ready;
  });
}

function runOperations(run: StressRun, operations: number, board: Scoreboard): void {
  let left = operations;
  if (left === 0) return;
  inSlices(board, (slice) => {
    const next = Math.min(slice, left);
    run.run(next);
    left -= next;
    board.post(run.shard.index, run.progress, 'running');
    return left === 0;
  });
}

/** Takes one slice after the other until the last one is done, or somebody says "stop". */
function inSlices(board: Scoreboard, step: (size: number) => boolean): void {
  for (let slice = FIRST_SLICE; !board.stopped; ) {
    const started = performance.now();
    if (step(slice)) return;
    slice = nextSlice(slice, performance.now() - started);
  }
}

/** Towards slices of {@link SLICE_MS}; at most twice as long as the last one, for what it met may have been cheap by luck. */
export function nextSlice(slice: number, tookMs: number): number {
  const wanted = Math.floor((slice * SLICE_MS) / Math.max(tookMs, 0.1));
  return Math.min(Math.max(wanted, 1), slice * 2, MAX_SLICE);
}
