/** What goes wrong with a stress program, and whose fault it is. */

export type StressMisuseCode =
  | 'SEED'
  | 'ADDRESS'
  | 'FOOTPRINT'
  | 'REGION'
  | 'PACKAGES'
  | 'KEYIDS'
  | 'PATTERN'
  | 'OPERATION'
  | 'WEIGHTS'
  | 'COUNT'
  | 'SHARD'
  | 'HARDWARE'
  | 'FIELD';

/** A program that cannot run: the message says what is wrong and what to give instead. Nothing has been started. */
export class StressMisuse extends RangeError {
  readonly code: StressMisuseCode;
  constructor(code: StressMisuseCode, message: string) {
    super(message);
    this.name = 'StressMisuse';
    this.code = code;
  }
}

/** One shard has used up its Wasm memory. It stopped between two operations; its result so far is good, but it cannot go on. */
export class StressOutOfMemory extends Error {
  readonly code = 'OUT_OF_MEMORY';
  /** Operations that this shard has done. */
  readonly operations: number;
  /** Bytes of Wasm memory in use. */
  readonly memoryUsed: number;
  /** Bytes of Wasm memory that it may use. */
  readonly memoryLimit: number;
  /** Bytes of the shard's footprint, and about how many of them had been touched, counted in 4 KiB pages. */
  readonly footprint: number;
  readonly touched: number;
  /** About the largest footprint, in bytes, with which all shards of such a program fit. */
  readonly fits: number;

  constructor(message: string, facts: Omit<StressOutOfMemory, keyof Error | 'code'>) {
    super(message);
    this.name = 'StressOutOfMemory';
    this.operations = facts.operations;
    this.memoryUsed = facts.memoryUsed;
    this.memoryLimit = facts.memoryLimit;
    this.footprint = facts.footprint;
    this.touched = facts.touched;
    this.fits = facts.fits;
  }
}
