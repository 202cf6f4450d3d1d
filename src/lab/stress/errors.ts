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

/**
 * What has no room: the machine's caches, keys or table of regions, the memory that the program touches, or names for all the keys that
 * lines were written under; or it is the host's.
 */
export type StressShortage = 'caches' | 'keys' | 'regions' | 'footprint' | 'generations' | 'host';

/** What helps. */
export type StressRemedy = 'footprint' | 'operations' | 'pattern' | 'caches' | 'keys' | 'regions' | 'rekey' | 'memory' | 'host';

/** What is known of a shard that has run out of memory. All sizes are bytes. */
export interface StressMemoryFacts {
  readonly shortage: StressShortage;
  /** What has happened, without what to do about it. */
  readonly summary: string;
  readonly remedies: readonly StressRemedy[];
  /** Operations that this shard has done. */
  readonly operations: number;
  /** Wasm memory in use; null for a machine that has not come into being. */
  readonly memoryUsed: number | null;
  /** Wasm memory that it may use. */
  readonly memoryLimit: number;
  /** The shard's footprint, and about how much of it had been written or touched, counted in pages of 4 KiB. */
  readonly footprint: number;
  readonly touched: number;
  /** About the largest footprint with which all shards of such a program fit; null when there is none, or it is not the matter. */
  readonly fits: number | null;
}

const REMEDIES: Readonly<Record<StressRemedy, string>> = {
  footprint: 'a smaller footprint',
  operations: 'fewer operations',
  pattern: 'a pattern that meets fewer lines',
  caches: 'fewer sets or ways of cache',
  keys: 'fewer KeyIDs or packages',
  regions: 'larger regions',
  rekey: 'less weight to rekey',
  memory: 'more memory',
  host: 'fewer machines at a time',
};

/**
 * One shard has used up its Wasm memory. It stopped between two operations; its result so far is good, and the same wherever it is
 * repeated with the same limit (unless the shortage is the host's); but it cannot go on.
 */
export class StressOutOfMemory extends Error {
  readonly code = 'OUT_OF_MEMORY';
  readonly facts: StressMemoryFacts;

  constructor(facts: StressMemoryFacts) {
    const { summary, remedies, fits } = facts;
    const fitting = fits === null ? '' : `; a footprint of about ${typable(fits)} fits`;
    super(`${summary}${fitting}: give ${remedies.map((remedy) => REMEDIES[remedy]).join(', ')}`);
    this.name = 'StressOutOfMemory';
    this.facts = facts;
  }
}

const UNITS = ['', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes as a user may type them: a whole number of the largest unit that divides them. */
export function typable(bytes: number): string {
  let count = bytes;
  let unit = 0;
  for (; count >= 1024 && count % 1024 === 0 && unit < UNITS.length - 1; unit++) count /= 1024;
  return `${count}${UNITS[unit]}`;
}
