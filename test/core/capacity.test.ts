/** The capacity model (and with it the machine's directory) against the plain one of test/oracle/capacity.ts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CapacityConfig, CapacityModel, ReferenceCounts, ReferenceStream } from '../../bindings/index.ts';
import { CoreMisuse, createCapacityModel } from '../../bindings/index.ts';
import { PlainCapacity } from '../oracle/capacity.ts';
import { mix } from '../oracle/package-cache.ts';

const RUNS = Number(process.env.SEAMLINE_SEQUENCES ?? 500);
const SEED = Number(process.env.SEAMLINE_SEED ?? 20_250_101);
const WAYS = [1, 2, 4, 8, 16];
const POLICIES = ['lru', 'random'] as const;
const GEOMETRIES = POLICIES.flatMap((cachePolicy) => WAYS.map((cacheWays) => ({ cachePolicy, cacheWays })));

type Step =
  | { readonly op: 'reference'; readonly lines: readonly number[] }
  | { readonly op: 'invalidate'; readonly line: number }
  | { readonly op: 'evictSome'; readonly count: number }
  | { readonly op: 'clear' };
type Placed = Step & { readonly pkg: number; readonly keyId: number };

const CONFIG: CapacityConfig = { seed: 0x5ea311e5eedn, packages: 2, cacheSets: 4, cacheWays: 16, cachePolicy: 'lru' };
const TOP_LINE = 2 ** 46 - 1;

/** Few enough lines to meet again, and marks that collide: equal byte sums, far bits, the last line. */
function lineArbitrary(cacheSets: number): fc.Arbitrary<number> {
  const set = fc.nat({ max: cacheSets - 1 });
  const near = fc.tuple(fc.nat({ max: 40 }), set).map(([t, s]) => t * cacheSets + s);
  const alike = fc.tuple(fc.nat({ max: 24 }), set).map(([t, s]) => (t * 255 + 1) * cacheSets + s);
  const far = fc.tuple(fc.nat({ max: 24 }), set).map(([t, s]) => TOP_LINE - t * 256 * cacheSets - s);
  return fc.oneof({ weight: 3, arbitrary: near }, { weight: 2, arbitrary: alike }, { weight: 1, arbitrary: far });
}

function steps(cacheSets: number): fc.Arbitrary<Placed[]> {
  const line = lineArbitrary(cacheSets);
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 12, arbitrary: fc.record({ op: fc.constant('reference' as const), lines: fc.array(line, { maxLength: 40 }) }) },
    { weight: 6, arbitrary: fc.record({ op: fc.constant('invalidate' as const), line }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('evictSome' as const), count: fc.nat({ max: 12 }) }) },
    { weight: 1, arbitrary: fc.constant({ op: 'clear' as const }) },
  );
  const where = fc.record({ pkg: fc.nat({ max: 1 }), keyId: fc.constantFrom(0, 0, 1, 32767) });
  return fc.array(
    fc.tuple(step, where).map(([what, place]) => ({ ...what, ...place })),
    { maxLength: 30 },
  );
}

function countsOf(plain: PlainCapacity, lines: Iterable<number>, keyId: number): ReferenceCounts {
  const counts = { hits: 0, misses: 0, evictions: 0 };
  for (const line of lines) {
    const outcome = plain.reference(line, keyId);
    if (outcome === 'hit') counts.hits++;
    else counts.misses++;
    if (outcome === 'eviction') counts.evictions++;
  }
  return counts;
}

function step(model: CapacityModel, plain: PlainCapacity, what: Placed): void {
  const { pkg, keyId } = what;
  if (what.op === 'reference') {
    expect(model.reference(pkg, Float64Array.from(what.lines), keyId)).toEqual(countsOf(plain, what.lines, keyId));
  } else if (what.op === 'invalidate') {
    expect(model.invalidate(pkg, what.line, keyId)).toBe(plain.invalidate(what.line, keyId));
  } else if (what.op === 'evictSome') {
    expect(model.evictSome(pkg, what.count)).toBe(plain.evictSome(what.count));
  } else {
    model.clear(pkg);
    plain.clear();
  }
}

describe('random steps: the same outcomes and the same lines in the same ways', () => {
  it.each(GEOMETRIES)(
    '$cacheWays ways, $cachePolicy',
    (geometry) => {
      const programs = fc.constantFrom(1, 2, 8, 64).chain((cacheSets) => fc.tuple(fc.constant(cacheSets), steps(cacheSets)));
      fc.assert(
        fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), programs, (seed, [cacheSets, program]) => {
          const config = { seed, packages: 2, cacheSets, ...geometry };
          const model = createCapacityModel(config);
          const plain = [0, 1].map((pkg) => new PlainCapacity(config, pkg));
          for (const what of program) {
            step(model, plain[what.pkg]!, what);
            for (const pkg of [0, 1]) {
              expect(model.digest(pkg)).toBe(plain[pkg]!.digest());
              expect(model.held(pkg)).toBe(plain[pkg]!.held());
            }
          }
        }),
        { numRuns: Math.ceil(RUNS / GEOMETRIES.length), seed: SEED },
      );
    },
    600_000,
  );
});

function* linesOf(stream: ReferenceStream, from: number, count: number): Generator<number> {
  const { first, lines } = stream;
  for (let n = from; n < from + count; n++) {
    if (stream.pattern === 'sequential') yield first + Number((BigInt(n) * BigInt(stream.stride ?? 1)) % BigInt(lines));
    else yield first + Number(((mix(BigInt.asUintN(64, stream.seed + BigInt(n))) >> 32n) * BigInt(lines)) >> 32n);
  }
}

const STREAMS: [string, ReferenceStream][] = [
  ['a stream longer than the cache', { pattern: 'sequential', first: 7, lines: 300 }],
  ['a set that fits', { pattern: 'sequential', first: 0, lines: 60 }],
  ['strides that share sets', { pattern: 'sequential', first: 1, lines: 1000, stride: 12 }],
  ['the whole stride', { pattern: 'sequential', first: 5, lines: 9, stride: 9 }],
  ['uniform random', { pattern: 'random', first: 3, lines: 150, seed: 5n }],
  ['random over 2^32 lines at the top', { pattern: 'random', first: 2 ** 46 - 2 ** 32, lines: 2 ** 32, seed: 2n ** 64n - 9n }],
];

describe.each(POLICIES)('generated streams, %s', (cachePolicy) => {
  it.each(STREAMS)('%s: as its lines one by one, whole or in slices', (_, stream) => {
    const config = { ...CONFIG, cachePolicy };
    const [whole, sliced] = [createCapacityModel(config), createCapacityModel(config)];
    const plain = new PlainCapacity(config, 1);
    const expected = countsOf(plain, linesOf(stream, 1000, 900), 3);
    expect(whole.run(1, stream, 900, 1000, 3)).toEqual(expected);
    expect(whole.digest(1)).toBe(plain.digest());
    const slices = [0, 1, 2].map((i) => sliced.run(1, stream, 300, 1000 + 300 * i, 3));
    expect(slices.reduce((sum, { misses }) => sum + misses, 0)).toBe(expected.misses);
    expect(sliced.digest(1)).toBe(plain.digest());
    expect(whole.held(0)).toBe(0);
  });
});

describe('what a user can rely on', () => {
  it('a working set of the size of the cache misses once a line, then always hits', () => {
    const model = createCapacityModel({ ...CONFIG, cacheSets: 2048 });
    const all: ReferenceStream = { pattern: 'sequential', first: 12345, lines: 32768 };
    expect(model.run(0, all, 32768)).toEqual({ hits: 0, misses: 32768, evictions: 0 });
    expect(model.run(0, all, 100_000)).toEqual({ hits: 100_000, misses: 0, evictions: 0 });
    model.clear(0);
    expect(model.held(0)).toBe(0);
    expect(model.run(0, all, 10).misses).toBe(10);
  });

  it('one line more than a set has ways defeats LRU, and not random replacement', () => {
    const cycle: ReferenceStream = { pattern: 'sequential', first: 0, lines: 17 * 4, stride: 4 };
    expect(createCapacityModel(CONFIG).run(0, cycle, 17_000).hits).toBe(0);
    expect(createCapacityModel({ ...CONFIG, cachePolicy: 'random' }).run(0, cycle, 17_000).hits).toBeGreaterThan(8000);
  });

  it('a list longer than the mailbox, and Uint32Array as well as Float64Array', () => {
    const lines = Uint32Array.from({ length: 20_000 }, (_, i) => (i * 2654435761) >>> 16);
    const [a, b] = [createCapacityModel(CONFIG), createCapacityModel(CONFIG)];
    const plain = new PlainCapacity(CONFIG, 0);
    expect(a.reference(0, lines)).toEqual(countsOf(plain, lines, 0));
    expect(b.reference(0, Float64Array.from(lines)).misses).toBeGreaterThan(0);
    expect([a.digest(0), b.digest(0)]).toEqual([plain.digest(), plain.digest()]);
  });

  it('2^20 sets of 16 ways', () => {
    const model = createCapacityModel({ ...CONFIG, packages: 1, cacheSets: 2 ** 20 });
    expect(model.run(0, { pattern: 'sequential', first: 0, lines: 2 ** 24 }, 2 ** 24).evictions).toBe(0);
    expect(model.held(0)).toBe(2 ** 24);
    expect(model.reference(0, Float64Array.of(2 ** 24 + 5)).evictions).toBe(1);
    expect([model.invalidate(0, 5), model.invalidate(0, 2 ** 24 + 5)]).toEqual([false, true]);
  });
});

const MISUSE: [string, CoreMisuse['code'], (model: CapacityModel) => unknown][] = [
  ['a package that is not there', 'PACKAGE_RANGE', (m) => m.reference(2, new Uint32Array(1))],
  ['a KeyID above 32767', 'KEYID_RANGE', (m) => m.reference(0, new Uint32Array(1), 32768)],
  ['a line above the last', 'ADDRESS_RANGE', (m) => m.reference(0, Float64Array.of(1, 2 ** 46))],
  ['a fraction of a line', 'ADDRESS_RANGE', (m) => m.reference(0, Float64Array.of(1, 0.5))],
  ['a stream over the end', 'ADDRESS_RANGE', (m) => m.run(0, { pattern: 'sequential', first: 2 ** 46 - 1, lines: 2 }, 1)],
  ['a stream of no lines', 'LENGTH_RANGE', (m) => m.run(0, { pattern: 'sequential', first: 0, lines: 0 }, 1)],
  ['a stride above the lines', 'LENGTH_RANGE', (m) => m.run(0, { pattern: 'sequential', first: 0, lines: 8, stride: 9 }, 1)],
  ['a negative count', 'LENGTH_RANGE', (m) => m.run(0, { pattern: 'sequential', first: 0, lines: 8 }, -1)],
  ['a seed above 64 bits', 'LENGTH_RANGE', (m) => m.run(0, { pattern: 'random', first: 0, lines: 8, seed: 2n ** 64n }, 1)],
];

describe('misuse is told before anything changes', () => {
  it.each(MISUSE)('%s', (_, code, call) => {
    const model = createCapacityModel(CONFIG);
    const empty = model.digest(0);
    expect(() => call(model)).toThrow(expect.objectContaining({ name: 'CoreMisuse', code }));
    expect(model.digest(0)).toBe(empty);
  });

  it('no sets, ways that are no power of two', () => {
    expect(() => createCapacityModel({ ...CONFIG, cacheSets: 0 })).toThrow(CoreMisuse);
    expect(() => createCapacityModel({ ...CONFIG, cacheWays: 3 })).toThrow(CoreMisuse);
  });
});
