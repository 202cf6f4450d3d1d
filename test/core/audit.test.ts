/** plaintext() and nextNonZero(): what auditors read, equal in both engines. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CoreConfig, createCore, DEFAULT_CORE_CONFIG, type MemoryCore } from '../../bindings/index.ts';
import { EagerCore } from '../oracle/eager-core.ts';

const GIB = 2 ** 30;
const CONFIG: CoreConfig = {
  ...DEFAULT_CORE_CONFIG,
  seed: 7n,
  packages: 2,
  numSharedKeyIds: 2,
  numPrivateKeyIds: 3,
  homes: [
    { base: 0, size: GIB, package: 0 },
    { base: GIB, size: GIB, package: 1 },
  ],
  cacheSets: 2,
  cacheWays: 2,
};
/** Two pages around the border of the two homes. */
const FIRST = GIB - 4096;
const LINES = 128;

const line = fc.nat(LINES - 1).map((n) => FIRST + n * 64);
const keyId = fc.nat(5);
const operation = fc.oneof(
  fc.record({ op: fc.constant('store' as const), pa: line, keyId, value: fc.nat(3) }),
  fc.record({ op: fc.constant('fill' as const), pa: line, keyId, value: fc.nat(1) }),
  fc.record({ op: fc.constant('page' as const), pa: fc.nat(1).map((n) => FIRST + n * 4096), keyId, value: fc.nat(1) }),
  fc.record({ op: fc.constant('key' as const), pa: line, keyId: fc.integer({ min: 1, max: 5 }), value: fc.nat(1) }),
  fc.record({ op: fc.constant('flip' as const), pa: line, keyId, value: fc.nat(511) }),
  fc.record({ op: fc.constant('wbinvd' as const), pa: line, keyId, value: fc.nat(1) }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function apply(core: MemoryCore, { op, pa, keyId, value }: Operation): void {
  if (op === 'store') core.fill(value % 2, pa, 64, keyId, BigInt(value));
  else if (op === 'fill') core.movdir64bFill(0, pa, 1, keyId, BigInt(value));
  else if (op === 'page') core.movdir64bFill(0, pa, 64, keyId, BigInt(value));
  else if (op === 'key') core.programKey(value, keyId, 'random');
  else if (op === 'flip') core.flip(pa, 'data', value);
  else core.wbinvd(value);
}

const plaintexts = (core: MemoryCore): Uint8Array[] => Array.from({ length: LINES }, (_, n) => core.plaintext(FIRST + n * 64));

function nonZero(core: MemoryCore, from: number, end: number): number[] {
  const found: number[] = [];
  for (let pa = core.nextNonZero(from, end); pa >= 0; pa = core.nextNonZero(pa + 64, end)) {
    found.push(pa);
    if (pa + 64 >= end) break;
  }
  return found;
}

describe('what auditors read', () => {
  it('is equal in both engines, and nextNonZero finds exactly the lines whose plaintext is not zero', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 24 }), (operations) => {
        const cores = [createCore(CONFIG), new EagerCore(CONFIG)];
        for (const core of cores) for (const step of operations) apply(core, step);
        const [lazy, eager] = cores.map(plaintexts);
        expect(lazy).toEqual(eager);
        const expected = eager!.flatMap((bytes, n) => (bytes.some((byte) => byte !== 0) ? [FIRST + n * 64] : []));
        for (const core of cores) expect(nonZero(core, FIRST, FIRST + LINES * 64)).toEqual(expected);
      }),
      { numRuns: 80 },
    );
  });

  it('shows the data of the last writer: not caches, not what a wrong reader would get', () => {
    const core = createCore(CONFIG);
    core.movdir64bFill(0, FIRST, 1, 3, 5n);
    core.store(1, FIRST, 8, 0);
    expect(core.plaintext(FIRST)[0]).toBe(5);
    core.programKey(0, 3, 'random');
    expect(core.plaintext(FIRST)[0]).toBe(5);
    core.wbinvd(1);
    expect(core.plaintext(FIRST)[0]).toBe(0);
  });

  it('skips 64 GiB of zeros without walking them', () => {
    const core = createCore(CONFIG);
    const before = core.counters();
    expect(core.nextNonZero(0, 2 ** 40)).toBe(-1);
    core.movdir64bFill(0, 2 ** 36, 1, 3, 1n);
    expect(core.nextNonZero(0, 2 ** 40)).toBe(2 ** 36);
    expect(core.nextNonZero(2 ** 36 + 64, 2 ** 40)).toBe(-1);
    expect(core.counters().nodesVisited! - before.nodesVisited!).toBeLessThan(10_000);
  });
});
