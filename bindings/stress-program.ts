/** A stress program in the integers that the core draws with (docs/stress-law.md). Made by `src/lab/stress/lower.ts`. */

export const STRESS_OPERATION_COUNT = 12;

export type StressPatternCode = 0 | 1 | 2 | 3 | 4 | 5;

/** One step of a cumulative table: taken by draws below `below` that no step before has taken. */
export interface StressBucket {
  readonly below: bigint;
  readonly first: number;
  readonly lines: number;
}

export interface StressCoreProgram {
  readonly seed: bigint;
  readonly baseLine: number;
  readonly lines: number;
  /** log2 of the lines of a region. */
  readonly regionShift: number;
  readonly prepare: boolean;
  readonly sharedKeyIds: number;
  readonly privateKeyIds: number;
  /** Of 2^32. */
  readonly privateBelow: bigint;
  /** Of 2^23. */
  readonly crossBelow: number;
  readonly pattern: StressPatternCode;
  /** strided: stride mod lines; hot-set: hot lines; ping-pong: repeat. */
  readonly parameter: number;
  /** hot-set, of 2^32. */
  readonly hotBelow: bigint;
  /** Cumulative weights, of 2^32. */
  readonly mix: readonly bigint[];
  readonly zipf: readonly StressBucket[];
  /** First page of the S-EPT behind the footprint, and 4 KiB pages of guest memory that it maps. */
  readonly tablePage: number;
  readonly guestPages: number;
}
