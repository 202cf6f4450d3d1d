/** Stress programs: what to draw, from which seed, over which memory (docs/stress-law.md). */
import { type CoreConfig, DEFAULT_CORE_CONFIG } from '../../../bindings/memory-core.ts';

/** A named part of a program, for help texts. */
export interface StressTerm<Name extends string> {
  readonly name: Name;
  readonly description: string;
}

export type StressOperation =
  | 'load'
  | 'store'
  | 'movdir64b'
  | 'movnti'
  | 'clflush'
  | 'wbinvd'
  | 'evict'
  | 'dma-read'
  | 'dma-write'
  | 'rekey'
  | 'walk'
  | 'flip';

/** In the order of the law: a draw picks the first operation whose cumulative weight lies above it. */
export const STRESS_OPERATIONS: readonly StressTerm<StressOperation>[] = [
  { name: 'load', description: 'cached load of 8 bytes' },
  { name: 'store', description: 'cached store of 8 bytes' },
  { name: 'movdir64b', description: 'direct store of a whole line: the one that cures poison' },
  { name: 'movnti', description: 'direct store of 8 bytes, a partial write' },
  { name: 'clflush', description: 'flush of one line of one KeyID from all packages' },
  { name: 'wbinvd', description: "write back and drop all of one package's cache" },
  { name: 'evict', description: "one seeded victim leaves a package's cache" },
  { name: 'dma-read', description: 'a device reads 8 bytes, through a shared KeyID' },
  { name: 'dma-write', description: 'a device writes 1 to 64 bytes, through a shared KeyID' },
  { name: 'rekey', description: 'PCONFIG gives a KeyID another key on one package' },
  { name: 'walk', description: 'S-EPT walk of a guest address, now and then after INVEPT' },
  { name: 'flip', description: 'an attacker flips a bit of a DRAM line: data, MAC, TD bit or poison' },
];

/** Which line an operation goes to. */
export type StressPattern =
  | { readonly kind: 'sequential' }
  /** Every `stride`-th line. */
  | { readonly kind: 'strided'; readonly stride: number }
  | { readonly kind: 'uniform' }
  /** Rank k is drawn as often as 1/k^s; s is rounded to 1/64. */
  | { readonly kind: 'zipf'; readonly s: number }
  /** The first `fraction` of the lines is hit with `probability`. */
  | { readonly kind: 'hot-set'; readonly fraction: number; readonly probability: number }
  /** Each line is taken `repeat` times, through two KeyIDs in turn. */
  | { readonly kind: 'ping-pong'; readonly repeat: number };

export type StressPatternKind = StressPattern['kind'];

/** A number that a pattern takes, in the order of `--pattern kind:first:second`. */
export interface StressParameter {
  readonly name: string;
  readonly default: number;
  readonly description: string;
}

export interface StressPatternTerm extends StressTerm<StressPatternKind> {
  readonly parameters: readonly StressParameter[];
}

export const STRESS_PATTERNS: readonly StressPatternTerm[] = [
  { name: 'sequential', description: 'one line after the other, again from the start', parameters: [] },
  {
    name: 'strided',
    description: 'every n-th line, again from the start',
    parameters: [{ name: 'stride', default: 64, description: 'lines from one to the next' }],
  },
  { name: 'uniform', description: 'any line, all alike', parameters: [] },
  {
    name: 'zipf',
    description: 'few lines often, most lines seldom: line k as often as 1/k^s',
    parameters: [{ name: 's', default: 1, description: 'exponent, 1/64 to 4' }],
  },
  {
    name: 'hot-set',
    description: 'a part of the lines takes most of the operations',
    parameters: [
      { name: 'fraction', default: 0.1, description: 'part of the lines that is hot' },
      { name: 'probability', default: 0.9, description: 'part of the operations that go there' },
    ],
  },
  {
    name: 'ping-pong',
    description: 'each line through two KeyIDs in turn',
    parameters: [{ name: 'repeat', default: 2, description: 'operations on a line before the next one' }],
  },
];

/** The hardware knobs that a program may set. */
export type StressHardware = Pick<
  CoreConfig,
  | 'maxPhysAddrBits'
  | 'integrity'
  | 'sharedIntegrity'
  | 'macBits'
  | 'tdBit'
  | 'checkOrder'
  | 'unprogrammedKey'
  | 'partialWriteErratum'
  | 'aesBits'
  | 'cacheSets'
  | 'cacheWays'
  | 'cachePolicy'
  | 'crypto'
  | 'provenance'
>;

export interface StressKeyIds {
  /** Shared KeyIDs beside KeyID 0. */
  readonly shared: number;
  readonly private: number;
  /** Part of the memory that belongs to private KeyIDs: 0 to 1. */
  readonly privateShare: number;
  /** Part of the operations that go through a KeyID drawn from all, not through the one that the memory belongs to: 0 to 1. */
  readonly cross: number;
}

/** One program. Everything is data: it may come from JSON. */
export interface StressProgram {
  /** 64-bit: a whole number (below 2^53 as a double), or a text in decimal or as 0x…. */
  readonly seed: number | string | bigint;
  /** First byte of the memory used; a multiple of 64. */
  readonly base: number;
  /** Bytes of memory used; a multiple of 64. */
  readonly footprint: number;
  /** Bytes that share one KeyID: a power of two of at least 64, or 0 for a thousandth of a shard's footprint. */
  readonly region: number;
  /** Does every region start out written by its KeyID? Otherwise memory is as after a cold reset. */
  readonly prepare: boolean;
  /** CPU packages: 1 to 8. GiB number n of the address space belongs to package n mod `packages`. */
  readonly packages: number;
  readonly keyIds: StressKeyIds;
  readonly pattern: StressPattern;
  /** Weights of operations; what is missing has weight 0. */
  readonly mix: Readonly<Partial<Record<StressOperation, number>>>;
  /** 4 KiB pages of guest memory that `walk` draws from. */
  readonly guestPages: number;
  readonly hardware: StressHardware;
}

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** The knobs without what a program says of itself. */
const {
  seed: _seed,
  packages: _packages,
  numSharedKeyIds: _shared,
  numPrivateKeyIds: _private,
  homes: _homes,
  ...HARDWARE
} = DEFAULT_CORE_CONFIG;

export const DEFAULT_STRESS_PROGRAM: StressProgram = {
  seed: 1,
  base: GIB,
  footprint: 64 * MIB,
  region: 0,
  prepare: true,
  packages: 2,
  keyIds: { shared: 3, private: 12, privateShare: 0.75, cross: 0.001 },
  pattern: { kind: 'uniform' },
  mix: {
    load: 60,
    store: 25,
    movdir64b: 8,
    movnti: 2,
    clflush: 3,
    wbinvd: 0.0001,
    evict: 0,
    'dma-read': 1,
    'dma-write': 0.1,
    rekey: 0,
    walk: 1,
    flip: 0,
  },
  guestPages: 4096,
  hardware: { ...HARDWARE, maxPhysAddrBits: 52 },
};
