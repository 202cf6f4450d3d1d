/** docs/stress-law.md, "Random words", weights and patterns. */

export interface Pattern {
  readonly kind: string;
  readonly stride?: number;
  readonly s?: number;
  readonly fraction?: number;
  readonly probability?: number;
  readonly repeat?: number;
}

export interface Deal {
  readonly index: number;
  readonly of: number;
}

const MOD = 2n ** 64n;
const U32 = 0xffffffffn;

function mix(x: bigint): bigint {
  let z = (x + 0x9e3779b97f4a7c15n) % MOD;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) % MOD;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) % MOD;
  return z ^ (z >> 31n);
}

/** What a shard gets of `total` whole things, and how many the shards before it get. */
export function dealt(total: number, { index, of }: Deal): { count: number; before: number } {
  const counts = Array.from({ length: of }, (_, i) => Math.floor(total / of) + (i < total % of ? 1 : 0));
  return { count: counts[index]!, before: counts.slice(0, index).reduce((sum, count) => sum + count, 0) };
}

export interface Draws {
  readonly seed: bigint;
  /** S of the law, with which digests start. */
  readonly start: bigint;
  word(n: number, j: number): bigint;
  region(r: number): bigint;
  hole(g: number): bigint;
}

export function drawsOf(programSeed: bigint, { index, of }: Deal): Draws {
  const seed = of === 1 ? programSeed : mix((mix(programSeed ^ 0x5348415244000000n) + BigInt(index)) % MOD);
  const start = mix(seed ^ 0x5354524553530000n);
  const regions = mix(seed ^ 0x524547494f4e5300n);
  const holes = mix(seed ^ 0x484f4c4553000000n);
  return {
    seed,
    start,
    word: (n, j) => mix((start + 4n * BigInt(n) + BigInt(j)) % MOD),
    region: (r) => mix((regions + BigInt(r)) % MOD),
    hole: (g) => mix((holes + BigInt(g)) % MOD),
  };
}

/** Cumulative weights in `total` parts. */
export function toParts(weights: readonly number[], total: number): bigint[] {
  let sum = 0;
  const prefixes = weights.map((weight) => {
    sum += weight;
    return sum;
  });
  const last = weights.length - 1 - [...weights].reverse().findIndex((weight) => weight > 0);
  return prefixes.map((prefix, i) => BigInt(i >= last ? total : Math.floor((prefix / sum) * total)));
}

export function pick(parts: readonly bigint[], draw: bigint): number {
  return parts.findIndex((part) => draw < part);
}

function power(k: number, sixtyFourths: number): number {
  let p = 1;
  for (let i = 1; i <= Math.floor(sixtyFourths / 64); ++i) p *= k;
  let root = k;
  for (const bit of [32, 16, 8, 4, 2, 1]) {
    root = Math.sqrt(root);
    if ((sixtyFourths & bit) !== 0) p *= root;
  }
  return p;
}

interface Bucket {
  readonly first: number;
  readonly ranks: number;
}

function buckets(lines: number): Bucket[] {
  const all: Bucket[] = [];
  for (let rank = 0; rank < Math.min(64, lines); ++rank) all.push({ first: rank, ranks: 1 });
  for (let octave = 64; octave < lines; octave *= 2)
    for (let i = 0; i < 32; ++i) {
      const first = octave + (octave / 32) * i;
      if (first < lines) all.push({ first, ranks: Math.min(octave / 32, lines - first) });
    }
  return all;
}

/** The line of operation n, by pattern. */
export function linePicker(pattern: Pattern, lines: number, { word }: Draws): (n: number) => number {
  const range = (w: bigint, below: number): number => Number((w * BigInt(below)) / MOD);
  switch (pattern.kind) {
    case 'sequential':
      return (n) => n % lines;
    case 'strided':
      return (n) => Number((BigInt(n) * BigInt(pattern.stride!)) % BigInt(lines));
    case 'uniform':
      return (n) => range(word(n, 1), lines);
    case 'ping-pong':
      return (n) => Math.floor(n / pattern.repeat!) % lines;
    case 'hot-set': {
      const hot = Math.max(1, Math.floor(lines * pattern.fraction!));
      const below = BigInt(Math.floor(pattern.probability! * 2 ** 32));
      return (n) => ((word(n, 1) & U32) < below || hot === lines ? range(word(n, 3), hot) : hot + range(word(n, 3), lines - hot));
    }
    default: {
      const sixtyFourths = Math.floor(pattern.s! * 64 + 0.5);
      const all = buckets(lines);
      const weights = all.map(({ first, ranks }) => ranks * (1 / power(1 + first + (ranks - 1) / 2, sixtyFourths)));
      const parts = toParts(weights, 2 ** 52);
      return (n) => {
        const { first, ranks } = all[pick(parts, word(n, 1) >> 12n)]!;
        return first + range(word(n, 3), ranks);
      };
    }
  }
}
