/** docs/memory-law.md, "Caches" and "Capacity and victims". */

import { describe, expect, it } from 'vitest';
import type { CoreConfig } from '../../../bindings/memory-core.ts';
import {
  bytesOf,
  type Engine,
  HOME0,
  HOME1,
  keyed,
  LINE,
  type Machine,
  PRIVATE,
  PRIVATE2,
  SHARED,
  SHARED2,
  TME,
  ZEROS,
} from './engine.ts';

const CI: Partial<CoreConfig> = { integrity: 'Ci', sharedIntegrity: true };
const A = bytesOf(1);
const B = bytesOf(2);

function describeTags(engine: Engine): void {
  it('[S0-01] two KeyIDs of one line are two cached lines that nothing keeps coherent', () => {
    const machine = keyed(engine, CI);
    machine.store(0, HOME0, TME, A);
    machine.put(HOME0, PRIVATE, B);
    expect(machine.load(0, HOME0, PRIVATE)).toEqual(B);
    expect(machine.holders(HOME0)).toEqual([`0/${TME}*`, `0/${PRIVATE}`]);
    expect(machine.load(0, HOME0, TME)).toEqual(A);
    expect(machine.load(0, HOME0, PRIVATE)).toEqual(B);
    // One cached line a physical address would have given A to both, or B.
    expect(machine.copies(HOME0).map((copy) => copy.data)).toEqual([A, B]);
  });

  it('the last alias to be written back owns the line', () => {
    for (const [first, last, data] of [
      [TME, SHARED, B],
      [SHARED, TME, A],
    ] as const) {
      const machine = keyed(engine);
      machine.store(0, HOME0, TME, A);
      machine.store(0, HOME0, SHARED, B);
      machine.core.evict(0, HOME0, first);
      machine.core.evict(0, HOME0, last);
      expect(machine.core.inspect(HOME0).keyId).toBe(last);
      expect(machine.load(1, HOME0, last)).toEqual(data);
    }
  });

  it('a clean eviction drops the line silently', () => {
    const machine = keyed(engine);
    machine.load(0, HOME0, TME);
    machine.put(HOME0, SHARED, B);
    const counted = machine.counted(() => expect(machine.core.evict(0, HOME0, TME)).toBe(true));
    expect(counted).toMatchObject({ controllerWrites: 0, writeBacks: 0 });
    expect(machine.core.evict(0, HOME0, TME)).toBe(false);
    expect(machine.core.inspect(HOME0).keyId).toBe(SHARED);
  });

  it('a clean copy stays stale when the line changes under another KeyID', () => {
    const machine = keyed(engine);
    machine.put(HOME0, TME, A);
    expect(machine.load(0, HOME0, TME)).toEqual(A);
    machine.put(HOME0, SHARED, B);
    expect(machine.load(0, HOME0, TME)).toEqual(A);
    machine.core.clflush(HOME0, 1, TME);
    expect(machine.load(0, HOME0, TME)).not.toEqual(A);
  });
}

function describeCoherence(engine: Engine): void {
  it('a read snoop of a dirty line writes it back; both packages keep clean copies', () => {
    const machine = keyed(engine);
    machine.store(0, HOME0, TME, A);
    expect(machine.counted(() => expect(machine.load(1, HOME0, TME)).toEqual(A))).toMatchObject({
      writeBacks: 1,
      controllerReads: 0,
    });
    expect(machine.holders(HOME0)).toEqual([`0/${TME}`, `1/${TME}`]);
  });

  it('a clean copy is forwarded from the lowest-numbered holder, without the controller', () => {
    const machine = keyed(engine, { packages: 3 });
    machine.load(2, HOME0, TME);
    machine.load(1, HOME0, TME);
    machine.put(HOME0, SHARED, B);
    expect(machine.counted(() => expect(machine.load(0, HOME0, TME)).toEqual(ZEROS))).toMatchObject({ controllerReads: 0 });
  });

  it('a write moves ownership: dirty data changes hands without a write-back', () => {
    const machine = keyed(engine);
    machine.store(0, HOME0, TME, A);
    const counted = machine.counted(() => machine.store(1, HOME0, TME, Uint8Array.of(0xee)));
    expect(counted).toMatchObject({ controllerWrites: 0, controllerReads: 0 });
    expect(machine.holders(HOME0)).toEqual([`1/${TME}*`]);
    expect(machine.load(0, HOME0, TME)).toEqual(Uint8Array.of(0xee, ...A.subarray(1)));
  });

  it('a store hit invalidates the other copies', () => {
    const machine = keyed(engine);
    machine.load(0, HOME0, TME);
    machine.load(1, HOME0, TME);
    machine.store(0, HOME0, TME, A);
    expect(machine.holders(HOME0)).toEqual([`0/${TME}*`]);
  });

  it('forwarded data carries its poison, and a store leaves it there', () => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, PRIVATE, A);
    machine.core.speculate(0, HOME0, PRIVATE2);
    machine.put(HOME0, PRIVATE2, B);
    expect(machine.holders(HOME0)).toEqual([]);
    expect(machine.load(1, HOME0, PRIVATE2)).toEqual(B);

    machine.put(HOME1, PRIVATE, A);
    machine.core.speculate(0, HOME1, PRIVATE2);
    machine.core.flip(HOME1, 'poison');
    expect(machine.load(1, HOME1, PRIVATE2)).toBeNull();
    machine.store(1, HOME1, PRIVATE2, B);
    expect(machine.holders(HOME1)).toEqual([`1/${PRIVATE2}*!`]);
    expect(machine.load(1, HOME1, PRIVATE2)).toBeNull();
  });

  it('a store of a full line still reads for ownership', () => {
    const machine = keyed(engine, CI);
    expect(machine.counted(() => machine.store(0, HOME0, PRIVATE, A))).toMatchObject({
      controllerReads: 1,
      poisonCreated: 1,
      poisonConsumed: 0,
    });
    expect(machine.load(0, HOME0, PRIVATE)).toBeNull();
  });
}

function describeRanges(engine: Engine): void {
  it('a ranged load stops at the first poisoned line; a ranged store goes on', () => {
    const machine = keyed(engine, CI);
    for (const i of [0, 1, 2]) machine.put(HOME0 + i * LINE, TME, bytesOf(i));
    machine.core.flip(HOME0 + LINE, 'poison');
    machine.core.flip(HOME0 + 2 * LINE, 'poison');
    expect(machine.core.load(0, HOME0 + 60, 100, TME)).toBe(1);
    expect(machine.core.mailbox.u8.slice(0, 4)).toEqual(bytesOf(0).subarray(60));
    expect(machine.core.fault).toMatchObject({ pa: HOME0 + LINE });
    expect(machine.holders(HOME0 + 2 * LINE)).toEqual([]);
    expect(machine.store(0, HOME0 + 60, TME, bytesOf(7, 100))).toBe(0);
    expect(machine.holders(HOME0 + 2 * LINE)).toEqual([`0/${TME}*!`]);
    expect(machine.copies(HOME0 + 2 * LINE)[0].data.subarray(0, 32)).toEqual(bytesOf(7, 100).subarray(68));
  });

  it('read and write move any length to and from an array', () => {
    const machine = keyed(engine);
    const bytes = bytesOf(3, 100_000);
    expect(machine.core.write(0, HOME0 + 9, SHARED, bytes)).toBe(0);
    machine.core.wbinvd(0);
    const out = new Uint8Array(bytes.length);
    expect(machine.core.read(1, HOME0 + 9, SHARED, out)).toBe(0);
    expect(out).toEqual(bytes);
  });

  it('fill repeats a 64-bit pattern', () => {
    const machine = keyed(engine);
    expect(machine.core.fill(0, HOME0 + 8, 72, TME, 0x8877665544332211n)).toBe(0);
    const expected = new Uint8Array(88);
    for (let i = 8; i < 80; ++i) expected[i] = 0x11 * ((i % 8) + 1);
    expect(machine.load(0, HOME0, TME, 88)).toEqual(expected);
  });

  it('exchange64 writes when the old value is the expected one', () => {
    const machine = keyed(engine, CI);
    machine.core.fill(0, HOME0, 64, TME, 5n);
    machine.core.wbnoinvd(0);
    expect(machine.core.exchange64(0, HOME0 + 8, TME, 5n, 6n)).toBe(5n);
    expect(machine.core.exchange64(1, HOME0 + 8, TME, 5n, 7n)).toBe(6n);
    machine.load(0, HOME0, TME);
    expect([...new BigUint64Array(machine.core.mailbox.u8.slice(0, 32).buffer)]).toEqual([5n, 6n, 5n, 5n]);
    machine.core.clflush(HOME0, 1, TME);
    machine.core.flip(HOME0, 'poison');
    expect(machine.core.exchange64(0, HOME0, TME, 5n, 7n)).toBeNull();
    expect(machine.core.fault).toMatchObject({ pa: HOME0, check: 'poison' });
  });

  it('movdir64b copy: cached loads, direct stores; poison at the source stops it', () => {
    const machine = keyed(engine, CI);
    const source = HOME1;
    for (const i of [0, 1, 2]) machine.store(0, source + i * LINE, TME, bytesOf(i));
    machine.put(source + LINE, SHARED, A);
    machine.core.clflush(source + LINE, 1, TME);
    machine.core.flip(source + LINE, 'poison');
    expect(machine.core.movdir64bCopy(0, HOME0, PRIVATE, source, TME, 3)).toBe(1);
    expect(machine.core.fault).toMatchObject({ pa: source + LINE, keyId: TME });
    expect([0, 1, 2].map((i) => machine.core.inspect(HOME0 + i * LINE).keyId)).toEqual([PRIVATE, TME, TME]);
    expect(machine.load(1, HOME0, PRIVATE)).toEqual(bytesOf(0));
  });
}

function describeFlushes(engine: Engine): void {
  it('CLFLUSH acts on one (line, KeyID) in all packages and on no other alias', () => {
    const machine = keyed(engine);
    machine.store(1, HOME0, TME, A);
    machine.store(0, HOME0, SHARED, B);
    machine.core.clflush(HOME0, 1, TME);
    expect(machine.holders(HOME0)).toEqual([`0/${SHARED}*`]);
    expect(machine.core.inspect(HOME0).keyId).toBe(TME);
  });

  it('MOVDIR64B drops its own tag everywhere without a write-back, and no other alias', () => {
    const machine = keyed(engine);
    machine.store(1, HOME0, TME, A);
    machine.store(0, HOME0, SHARED, A);
    expect(machine.counted(() => machine.put(HOME0, TME, B))).toMatchObject({ writeBacks: 0, controllerWrites: 1 });
    expect(machine.holders(HOME0)).toEqual([`0/${SHARED}*`]);
    expect(machine.load(0, HOME0, TME)).toEqual(B);
  });

  it('WBINVD drains one package in ascending (line, KeyID) and leaves the other alone', () => {
    const machine = keyed(engine);
    for (const keyId of [SHARED2, TME, SHARED]) machine.store(0, HOME0, keyId, bytesOf(keyId));
    machine.store(1, HOME1, TME, A);
    machine.core.wbinvd(0);
    expect(machine.core.inspect(HOME0).keyId).toBe(SHARED2);
    expect(machine.core.displacements(HOME0).map((d) => d.keyId)).toEqual([SHARED, SHARED2]);
    expect(machine.holders(HOME0)).toEqual([]);
    expect(machine.holders(HOME1)).toEqual([`1/${TME}*`]);
  });

  it('WBNOINVD leaves clean copies', () => {
    const machine = keyed(engine);
    machine.store(0, HOME0, TME, A);
    machine.core.wbnoinvd(0);
    expect(machine.holders(HOME0)).toEqual([`0/${TME}`]);
    expect(machine.core.capture(HOME0).ciphertext).toEqual(machine.keyOf(TME).encrypt(HOME0 / LINE, A));
    expect(machine.counted(() => machine.core.wbinvd(0))).toMatchObject({ writeBacks: 0 });
  });

  it('a DMA read writes a dirty copy of its own tag back and does not look at clean ones', () => {
    const machine = keyed(engine);
    machine.store(1, HOME0, TME, A);
    expect(machine.dma(HOME0, TME)).toEqual(A);
    expect(machine.holders(HOME0)).toEqual([`1/${TME}`]);
    machine.core.flip(HOME0, 'data', 3);
    expect(machine.dma(HOME0, TME)).not.toEqual(A);
    expect(machine.load(1, HOME0, TME)).toEqual(A);
  });
}

/** Order in which the lines 0..n-1 (all dirty) leave a package's cache, one eviction at a time. */
function evictionOrder(machine: Machine, lines: number, leave: () => void): number[] {
  const order: number[] = [];
  const held = (): Set<number> =>
    new Set(Array.from({ length: lines }, (_, i) => i).filter((i) => machine.holders(HOME0 + i * LINE).length > 0));
  for (let before = held(); before.size > 0; ) {
    leave();
    const after = held();
    order.push(...[...before].filter((i) => !after.has(i)));
    before = after;
  }
  return order;
}

const BOUNDED: Partial<CoreConfig>[] = [
  { cacheSets: 0, cacheWays: 0 },
  { cacheSets: 2, cacheWays: 4, cachePolicy: 'random' },
  { cacheSets: 2, cacheWays: 4, cachePolicy: 'lru' },
];

const U64 = (1n << 64n) - 1n;

/** The published mixing function (SplitMix64's finaliser), written down a second time. */
function mix(x: bigint): bigint {
  let z = (x + 0x9e3779b97f4a7c15n) & U64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & U64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & U64;
  return z ^ (z >> 31n);
}

function describeVictims(engine: Engine): void {
  it.each(BOUNDED)(
    '[S0-11] same seed, same order; another seed, another order: $cacheSets × $cacheWays $cachePolicy',
    (shape) => {
      const order = (seed: bigint): number[] => {
        const machine = keyed(engine, { ...shape, seed });
        for (let i = 0; i < 8; ++i) machine.store(0, HOME0 + i * LINE, TME, bytesOf(i));
        return evictionOrder(machine, 8, () => expect(machine.core.evictSome(0, 1)).toBe(1));
      };
      expect(order(1n)).toHaveLength(8);
      expect(order(1n)).toEqual(order(1n));
      expect([2n, 3n, 4n].map(order)).not.toEqual([order(1n), order(1n), order(1n)]);
    },
  );

  it('[S0-11] capacity is bounded per package, and "evict this line now" works on any tag', () => {
    const machine = keyed(engine, { cacheSets: 2, cacheWays: 2 });
    for (let i = 0; i < 16; ++i) for (const pkg of [0, 1]) machine.store(pkg, HOME0 + (2 * i + pkg) * LINE, TME, bytesOf(i));
    const held = { 0: 0, 1: 0 } as Record<number, number>;
    machine.core.forEachCached(HOME0, 64 * LINE, (_pa, copy) => (held[copy.package] += 1));
    expect(held).toEqual({ 0: 2, 1: 2 });
    expect(machine.core.evict(0, HOME0 + 30 * LINE, TME)).toBe(true);
    expect(machine.core.evict(0, HOME0 + 30 * LINE, TME)).toBe(false);
    expect(machine.load(1, HOME0, TME)).toEqual(bytesOf(0));
  });

  it('unbounded: evictSome takes the tag of rank r mod n in ascending (line, KeyID)', () => {
    const machine = keyed(engine, { seed: 77n });
    const tags = [0, 1, 2, 3].flatMap((i) => [TME, SHARED].map((keyId) => ({ i, keyId })));
    for (const { i, keyId } of [...tags].reverse()) machine.store(1, HOME0 + i * LINE, keyId, A);
    for (let n = 0n; tags.length > 0; ++n) {
      const r = mix((mix(77n ^ 0x4556494354000000n ^ 1n) + n) & U64);
      const [{ i, keyId }] = tags.splice(Number(r % BigInt(tags.length)), 1);
      expect(machine.core.evictSome(1, 1)).toBe(1);
      expect(machine.core.evict(1, HOME0 + i * LINE, keyId)).toBe(false);
    }
    expect(machine.core.evictSome(1, 5)).toBe(0);
  });

  it('random: in a full set the victim is way r mod ways, one draw a fill', () => {
    const ways = 4;
    const machine = keyed(engine, { seed: 78n, cacheSets: 1, cacheWays: ways, cachePolicy: 'random' });
    const set = Array.from({ length: ways }, (_, i) => i);
    for (const i of set) machine.load(0, HOME0 + i * LINE, TME);
    for (let n = 0; n < 12; ++n) {
      const r = mix((mix(78n ^ 0x4556494354000000n) + BigInt(n)) & U64);
      machine.load(0, HOME0 + (ways + n) * LINE, TME);
      const victim = set.splice(Number(r % BigInt(ways)), 1, ways + n)[0];
      expect(machine.holders(HOME0 + victim * LINE)).toEqual([]);
    }
  });

  it('lru: the least recently touched way leaves; loads, stores and fills touch', () => {
    const machine = keyed(engine, { cacheSets: 1, cacheWays: 4, cachePolicy: 'lru' });
    const at = (i: number): number => HOME0 + i * LINE;
    for (const i of [0, 1, 2, 3]) machine.load(0, at(i), TME);
    machine.load(0, at(0), TME);
    machine.store(0, at(1), TME, A);
    machine.load(0, at(4), TME);
    expect([0, 1, 2, 3, 4].map((i) => machine.holders(at(i)).length)).toEqual([1, 1, 0, 1, 1]);
    machine.load(0, at(5), TME);
    expect([0, 1, 3, 4, 5].map((i) => machine.holders(at(i)).length)).toEqual([1, 1, 0, 1, 1]);
  });

  it('a fill takes the lowest invalid way before anything is displaced', () => {
    const machine = keyed(engine, { cacheSets: 1, cacheWays: 2 });
    machine.load(0, HOME0, TME);
    machine.load(0, HOME0 + LINE, TME);
    machine.core.evict(0, HOME0, TME);
    machine.load(0, HOME0 + 2 * LINE, TME);
    expect(machine.holders(HOME0 + LINE)).toHaveLength(1);
  });

  it('the victim leaves before the new line is read', () => {
    const machine = keyed(engine, { cacheSets: 1, cacheWays: 1 });
    machine.store(0, HOME0, SHARED, A);
    const garbage = machine.keyOf(TME).decrypt(HOME0 / LINE, machine.keyOf(SHARED).encrypt(HOME0 / LINE, A));
    expect(machine.load(0, HOME0, TME)).toEqual(garbage);
  });
}

export function describeCaches(engine: Engine): void {
  describe('tags', () => describeTags(engine));
  describe('coherence of one tag', () => describeCoherence(engine));
  describe('ranges', () => describeRanges(engine));
  describe('flushes and device reads', () => describeFlushes(engine));
  describe('capacity and victims', () => describeVictims(engine));
}
