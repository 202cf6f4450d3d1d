/** From a program to the integers that the core draws with (docs/stress-law.md, "From the program to integers"). */
import type { CoreConfig, HomeRange } from '../../../bindings/memory-core.ts';
import type { StressBucket, StressCoreProgram, StressPatternCode } from '../../../bindings/stress-program.ts';
import { StressMisuse } from './errors.ts';
import { STRESS_OPERATIONS, STRESS_PATTERNS, type StressPattern, type StressProgram } from './program.ts';
import { MAX_SEED, parseSeedText } from './seed.ts';
import { type StressShard, shardPart, shardStart } from './shards.ts';
import { shown } from './shown.ts';

const GIB = 2 ** 30;
const PAGE_BYTES = 4096;
const LINE_BYTES = 64;
const MAX_HOMES = 4096;
const MAX_DEFAULT_REGIONS = 1024;
const U64 = 2n ** 64n;
const SHARDS = 0x5348415244000000n;

/** SplitMix64's step (docs/memory-law.md). */
export function mix(x: bigint): bigint {
  let z = (x + 0x9e3779b97f4a7c15n) % U64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) % U64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) % U64;
  return z ^ (z >> 31n);
}

/** A seed of the program as a word. Throws {@link StressMisuse} `SEED`. */
export function seedOf({ seed }: StressProgram): bigint {
  const value = seedWord(seed);
  if (value !== undefined && value >= 0n && value <= MAX_SEED) return value;
  const wide = typeof seed === 'number' && Number.isInteger(seed) && seed > Number.MAX_SAFE_INTEGER;
  const form = wide ? 'above 2^53 write it as text, such as "0x20000000000001"' : 'in decimal or as 0x…';
  throw new StressMisuse('SEED', `seed '${shown(seed)}': give a whole number from 0 to 2^64 - 1, ${form}`);
}

function seedWord(seed: StressProgram['seed']): bigint | undefined {
  if (typeof seed === 'bigint') return seed;
  if (typeof seed === 'string') return parseSeedText(seed);
  return Number.isSafeInteger(seed) && !Object.is(seed, -0) ? BigInt(seed) : undefined;
}

export function regionBytes({ region }: StressProgram, part: number): number {
  if (region !== 0) return region;
  let bytes = PAGE_BYTES;
  while (bytes * MAX_DEFAULT_REGIONS < part) bytes *= 2;
  return bytes;
}

/** Pages of the S-EPT: a root and, level by level, what covers the guest's pages. */
function tablePages(guestPages: number): number {
  return 1 + Math.ceil(guestPages / 2 ** 27) + Math.ceil(guestPages / 2 ** 18) + Math.ceil(guestPages / 512);
}

const pageAbove = (address: number): number => Math.ceil(address / PAGE_BYTES);

/** First byte behind the footprint and the S-EPT. */
export function memoryEnd({ base, footprint, guestPages }: StressProgram): number {
  return (pageAbove(base + footprint) + tablePages(guestPages)) * PAGE_BYTES;
}

/** First byte that the footprint cannot reach: the S-EPT needs the rest of the address space. */
export function footprintLimit({ guestPages, hardware }: StressProgram): number {
  return 2 ** hardware.maxPhysAddrBits - tablePages(guestPages) * PAGE_BYTES;
}

/** The first 4096 GiB of the machine's memory go round the packages; everything else is package 0's. */
function homes(packages: number, base: number, end: number): HomeRange[] {
  const first = Math.floor(base / GIB);
  const count = Math.min(MAX_HOMES, Math.ceil(end / GIB) - first);
  return Array.from({ length: count }, (_, i) => ({ base: (first + i) * GIB, size: GIB, package: (first + i) % packages }));
}

/** The machine of one shard, whose part of the footprint starts at the program's `base`. */
export function coreConfig(program: StressProgram, seed: bigint, footprint: number): CoreConfig {
  const { packages, keyIds, base, hardware } = program;
  return {
    ...hardware,
    seed,
    packages,
    numSharedKeyIds: keyIds.shared,
    // One more, for the S-EPT: nobody re-keys it.
    numPrivateKeyIds: keyIds.private + 1,
    homes: homes(packages, base, memoryEnd({ ...program, footprint })),
  };
}

/** Cumulative weights in `total` parts; all from the last weight that is not 0 on get `total`. */
function cumulate(weights: readonly number[], total: number): bigint[] {
  const sum = weights.reduce((all, weight) => all + weight, 0);
  const last = weights.findLastIndex((weight) => weight > 0);
  let prefix = 0;
  return weights.map((weight, i) => {
    prefix += weight;
    return BigInt(i >= last ? total : Math.floor((prefix / sum) * total));
  });
}

/** k^(-n/64) by square roots and multiplications alone, which every engine rounds alike. */
function inversePower(k: number, sixtyFourths: number): number {
  let power = 1;
  for (let i = 0; i < Math.floor(sixtyFourths / 64); i++) power *= k;
  let root = k;
  for (let bit = 32; bit >= 1; bit /= 2) {
    root = Math.sqrt(root);
    if (Math.floor(sixtyFourths / bit) % 2 === 1) power *= root;
  }
  return 1 / power;
}

/** Ranks 0..63 alone, then 32 parts of equal length in each octave. */
function zipfBuckets(lines: number, s: number): StressBucket[] {
  const spans: { first: number; lines: number }[] = [];
  for (let first = 0, width = 1; first < lines; first += width) {
    if (first >= 64 && Math.log2(first) % 1 === 0) width = first / 32;
    spans.push({ first, lines: Math.min(width, lines - first) });
  }
  const sixtyFourths = Math.round(s * 64);
  const weights = spans.map((span) => span.lines * inversePower(1 + span.first + (span.lines - 1) / 2, sixtyFourths));
  const below = cumulate(weights, 2 ** 52);
  return spans.map((span, i) => ({ ...span, below: below[i]! }));
}

function parameterOf(pattern: StressPattern, lines: number): number {
  if (pattern.kind === 'strided') return pattern.stride % lines;
  if (pattern.kind === 'hot-set') return Math.max(1, Math.floor(lines * pattern.fraction));
  return pattern.kind === 'ping-pong' ? pattern.repeat : 0;
}

export interface LoweredProgram {
  readonly config: CoreConfig;
  readonly program: StressCoreProgram;
  /** Bytes of the shard's footprint. */
  readonly footprint: number;
}

/** The machine and the integers of one shard. The program has been checked. */
export function lowerProgram(program: StressProgram, shard: StressShard): LoweredProgram {
  const allLines = program.footprint / LINE_BYTES;
  const lines = shardPart(allLines, shard);
  const footprint = lines * LINE_BYTES;
  const base = program.base + shardStart(allLines, shard) * LINE_BYTES;
  const seed = shard.of === 1 ? seedOf(program) : mix(mix(seedOf(program) ^ SHARDS) + BigInt(shard.index));
  const { pattern, keyIds } = program;
  return {
    footprint,
    config: coreConfig({ ...program, base }, seed, footprint),
    program: {
      seed,
      baseLine: base / LINE_BYTES,
      lines,
      regionShift: Math.log2(regionBytes(program, footprint) / LINE_BYTES),
      prepare: program.prepare,
      sharedKeyIds: keyIds.shared,
      privateKeyIds: keyIds.private,
      privateBelow: BigInt(Math.floor(keyIds.privateShare * 2 ** 32)),
      crossBelow: Math.floor(keyIds.cross * 2 ** 23),
      pattern: STRESS_PATTERNS.findIndex(({ name }) => name === pattern.kind) as StressPatternCode,
      parameter: parameterOf(pattern, lines),
      hotBelow: BigInt(pattern.kind === 'hot-set' ? Math.floor(pattern.probability * 2 ** 32) : 0),
      mix: cumulate(
        STRESS_OPERATIONS.map(({ name }) => program.mix[name] ?? 0),
        2 ** 32,
      ),
      zipf: pattern.kind === 'zipf' ? zipfBuckets(lines, pattern.s) : [],
      tablePage: pageAbove(base + footprint),
      guestPages: program.guestPages,
    },
  };
}
