/** How far every shard is: memory shared by the command and its workers, so that neither ever waits for the other. */
import type { StressFault, StressResult } from '../../lab/stress/index.ts';

/** Every kind of fault, and what it says. */
export const FAULT_KINDS: Readonly<Record<StressFault, string>> = {
  'td-bit': 'the TD owner bit and the KeyID disagreed',
  mac: 'the MAC was wrong',
  'unprogrammed-key': 'the KeyID had no key',
  'partial-write': 'a partial write had poisoned the line silently',
  poison: 'the line was poisoned before, by a cause that is not known any more',
};
const FAULTS = Object.keys(FAULT_KINDS) as StressFault[];

/** Places of one shard's row; its faults follow. */
const OPERATIONS = 0;
const MEMORY = 1;
const FIRST_FAULT = 2;
const ROW = FIRST_FAULT + FAULTS.length;
/** A row begins behind the flag that says "stop". */
const FLAG_BYTES = 8;

export interface Score {
  readonly operations: number;
  /** Bytes of Wasm memory that the shards which run now have in use. */
  readonly memoryUsed: number;
  readonly faults: Readonly<Record<StressFault, number>>;
}

export class Scoreboard {
  readonly buffer: SharedArrayBuffer;
  readonly #flag: Int32Array;
  readonly #rows: Float64Array;

  constructor(shared: SharedArrayBuffer | { readonly shards: number }) {
    this.buffer = 'shards' in shared ? new SharedArrayBuffer(FLAG_BYTES + shared.shards * ROW * 8) : shared;
    this.#flag = new Int32Array(this.buffer, 0, 1);
    this.#rows = new Float64Array(this.buffer, FLAG_BYTES);
  }

  /** Asks every worker to end after its slice. */
  stop(): void {
    Atomics.store(this.#flag, 0, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#flag, 0) === 1;
  }

  /** A worker's entry. A shard that has ended holds no memory. */
  post(shard: number, { operations, memoryUsed, faults }: StressResult, ended: boolean): void {
    const row = this.#rows.subarray(shard * ROW, (shard + 1) * ROW);
    row[OPERATIONS] = operations;
    row[MEMORY] = ended ? 0 : memoryUsed;
    for (const [i, fault] of FAULTS.entries()) row[FIRST_FAULT + i] = faults[fault];
  }

  /** The sum over all shards. */
  read(): Score {
    const sum = new Float64Array(ROW);
    for (let at = 0; at < this.#rows.length; at++) sum[at % ROW] += this.#rows[at]!;
    return {
      operations: sum[OPERATIONS]!,
      memoryUsed: sum[MEMORY]!,
      faults: Object.fromEntries(FAULTS.map((fault, i) => [fault, sum[FIRST_FAULT + i]!])) as Score['faults'],
    };
  }
}
