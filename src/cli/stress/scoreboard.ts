/** How far every shard is: memory shared by the command and its workers, so that neither ever waits for the other. */
import { STRESS_FAULTS, type StressFault, type StressResult } from '../../lab/stress/index.ts';

/** Places of one shard's row; its faults follow. */
const OPERATIONS = 0;
const MEMORY = 1;
const PEAK = 2;
const PHASE = 3;
const FIRST_FAULT = 4;
const ROW = FIRST_FAULT + STRESS_FAULTS.length;
/** A row begins behind the flag that says "stop". */
const FLAG_BYTES = 8;

/** What a shard is doing. */
const PHASES = ['waiting', 'preparing', 'running', 'ended', 'out-of-memory'] as const;
export type ShardPhase = Exclude<(typeof PHASES)[number], 'waiting'>;
/** A shard that has come to its end holds no memory. */
const HOLDS_MEMORY: readonly ShardPhase[] = ['preparing', 'running'];

export interface Score {
  readonly operations: number;
  /** Bytes of Wasm memory that the shards which run now have in use, and the most that there ever were at one time. */
  readonly memoryUsed: number;
  readonly peakMemory: number;
  readonly faults: Readonly<Record<StressFault, number>>;
  /** Part of the memory that is prepared, from 0 to 1, of the shards that prepare now; null while one of them all runs. */
  readonly preparing: number | null;
  /** Shards that have run out of memory. */
  readonly outOfMemory: number;
}

export class Scoreboard {
  readonly buffer: SharedArrayBuffer;
  readonly #flag: Int32Array;
  readonly #cells: Float64Array;
  readonly #shards: number;

  constructor(shared: SharedArrayBuffer | { readonly shards: number }) {
    this.buffer = 'shards' in shared ? new SharedArrayBuffer(FLAG_BYTES + shared.shards * ROW * 8) : shared;
    this.#flag = new Int32Array(this.buffer, 0, 1);
    this.#cells = new Float64Array(this.buffer, FLAG_BYTES);
    this.#shards = this.#cells.length / ROW;
  }

  /** Asks every worker to end after its slice. */
  stop(): void {
    Atomics.store(this.#flag, 0, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#flag, 0) === 1;
  }

  /** A worker's entry; `prepared` is the part of the shard's memory that is, from 0 to 1. */
  post(
    shard: number,
    { operations, memoryUsed, faults }: Pick<StressResult, 'operations' | 'memoryUsed' | 'faults'>,
    phase: ShardPhase,
    prepared = 1,
  ): void {
    const row = this.#cells.subarray(shard * ROW, (shard + 1) * ROW);
    row[OPERATIONS] = operations;
    row[MEMORY] = HOLDS_MEMORY.includes(phase) ? memoryUsed : 0;
    row[PHASE] = PHASES.indexOf(phase) + (phase === 'preparing' ? Math.min(prepared, 0.999) : 0);
    for (const [i, { name }] of STRESS_FAULTS.entries()) row[FIRST_FAULT + i] = faults[name];
    row[PEAK] = Math.max(row[PEAK]!, this.#sum(MEMORY));
  }

  /** All shards together. */
  read(): Score {
    const phases = this.#column(PHASE);
    const now = (phase: ShardPhase): number[] => phases.filter((cell) => PHASES[Math.floor(cell)] === phase);
    const preparing = now('preparing').map((cell) => cell % 1);
    const known = preparing.length > 0 && now('running').length === 0;
    return {
      operations: this.#sum(OPERATIONS),
      memoryUsed: this.#sum(MEMORY),
      peakMemory: Math.max(...this.#column(PEAK)),
      faults: Object.fromEntries(STRESS_FAULTS.map(({ name }, i) => [name, this.#sum(FIRST_FAULT + i)])) as Score['faults'],
      preparing: known ? preparing.reduce((sum, part) => sum + part, 0) / preparing.length : null,
      outOfMemory: now('out-of-memory').length,
    };
  }

  #column(column: number): number[] {
    return Array.from({ length: this.#shards }, (_, shard) => this.#cells[shard * ROW + column]!);
  }

  #sum(column: number): number {
    return this.#column(column).reduce((sum, cell) => sum + cell, 0);
  }
}
