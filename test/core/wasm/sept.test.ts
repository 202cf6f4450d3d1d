/** Staleness of an LP's translations: only INVEPT makes it look again. */
import { describe, expect, it } from 'vitest';
import type { MemoryCore } from '../../../bindings/index.ts';
import { CoreMisuse, createCore } from '../../../bindings/index.ts';
import { CONFIG, PRIVATE } from '../shared/engine.ts';

const PAGE = 4096;
const ROOT = 0x100000;
const TABLES = [ROOT, ROOT + PAGE, ROOT + 2 * PAGE, ROOT + 3 * PAGE];
const TARGET = 0x800000;
const GPA = 0x12345000;
const RWX = 7n;
const LEAF = 0x80n;
const FREE = 0x80e0000000000000n;

function setEntry(core: MemoryCore, level: number, gpa: number, entry: bigint): void {
  const table = TABLES[3 - level]!;
  core.mailbox.u64[0] = entry;
  core.store(0, table + (Math.floor(gpa / 2 ** (12 + 9 * level)) % 512) * 8, 8, PRIVATE);
}

function mapped(): MemoryCore {
  const core = createCore(CONFIG);
  for (const table of TABLES) core.movdir64bFill(0, table, 64, PRIVATE, FREE);
  for (const level of [3, 2, 1]) setEntry(core, level, GPA, BigInt(TABLES[4 - level]!) | RWX);
  setEntry(core, 0, GPA, BigInt(TARGET) | RWX | LEAF);
  core.septSetRoot(0, 0, ROOT, PRIVATE, 4);
  return core;
}

describe('S-EPT walks', () => {
  it('find the page, its entry and its level', () => {
    const core = mapped();
    expect(core.septWalk(0, 0, 0, GPA + 0x123, true)).toBe(0);
    expect([core.walkHpa, core.walkEntry, core.walkLevel]).toEqual([TARGET, BigInt(TARGET) | RWX | LEAF, 0]);
    expect(core.septWalk(0, 0, 0, GPA + PAGE, false)).toBe(1);
    expect(core.walkEntry).toBe(FREE);
  });

  it('stay stale until INVEPT on that LP', () => {
    const core = mapped();
    core.septSetRoot(1, 0, ROOT, PRIVATE, 4);
    core.septWalk(0, 0, 0, GPA, false);
    core.septWalk(1, 0, 0, GPA, false);
    setEntry(core, 0, GPA, FREE);
    expect([core.septWalk(0, 0, 0, GPA, false), core.septWalk(1, 0, 0, GPA, false)]).toEqual([0, 0]);
    core.invept(0);
    expect([core.septWalk(0, 0, 0, GPA, false), core.septWalk(1, 0, 0, GPA, false)]).toEqual([1, 0]);
  });

  it('keep thousands of translations, and INVEPT forgets them all at once', () => {
    const core = mapped();
    for (let i = 0; i < 512; i++)
      setEntry(core, 0, i * PAGE + Math.floor(GPA / 2 ** 21) * 2 ** 21, BigInt(TARGET + i * PAGE) | RWX | LEAF);
    const base = Math.floor(GPA / 2 ** 21) * 2 ** 21;
    for (let i = 0; i < 512; i++) core.septWalk(0, 0, 0, base + i * PAGE, false);
    core.movdir64bFill(0, TABLES[3]!, 64, PRIVATE, FREE);
    const walks = (): number[] => Array.from({ length: 512 }, (_, i) => core.septWalk(0, 0, 0, base + i * PAGE, false));
    expect(new Set(walks())).toEqual(new Set([0]));
    core.septWalk(0, 0, 0, base + 5 * PAGE, false);
    expect(core.walkHpa).toBe(TARGET + 5 * PAGE);
    core.invept(0);
    expect(new Set(walks())).toEqual(new Set([1]));
  });

  it('use a cached non-leaf entry after its table was replaced', () => {
    const core = mapped();
    core.septWalk(0, 0, 0, GPA, false);
    setEntry(core, 1, GPA, FREE);
    setEntry(core, 0, GPA + PAGE, BigInt(TARGET + PAGE) | RWX | LEAF);
    expect(core.septWalk(0, 0, 0, GPA + PAGE, false)).toBe(0);
    core.invept(0);
    expect(core.septWalk(0, 0, 0, GPA + PAGE, false)).toBe(1);
    expect(core.walkLevel).toBe(1);
  });

  it('look again after INVEPT at whatever has changed since: an entry, its line, its key', () => {
    const core = mapped();
    const walked = (): [number, number] => {
      core.invept(0);
      return [core.septWalk(0, 0, 0, GPA, false), core.walkLevel];
    };
    for (let i = 0; i < 3; i++) expect(walked()).toEqual([0, 0]);
    for (const level of [3, 2, 1, 0]) {
      setEntry(core, level, GPA, FREE);
      expect(walked()).toEqual([1, level]);
      setEntry(core, level, GPA, BigInt(level === 0 ? TARGET : TABLES[4 - level]!) | RWX);
      expect([walked(), walked()]).toEqual([
        [0, 0],
        [0, 0],
      ]);
    }
    for (const leave of [() => core.wbinvd(0), () => core.clflush(ROOT, 256, PRIVATE), () => core.evictSome(0, 1000)]) {
      leave();
      core.flip(TABLES[2]! + (Math.floor(GPA / 2 ** 21) % 512) * 8, 'data', 1);
      expect(walked()).toEqual([3, 1]);
      core.movdir64bFill(0, TABLES[2]!, 64, PRIVATE, FREE);
      setEntry(core, 1, GPA, BigInt(TABLES[3]!) | RWX);
      expect([walked(), walked()]).toEqual([
        [0, 0],
        [0, 0],
      ]);
    }
    core.wbinvd(0);
    core.programKey(0, PRIVATE, 'random');
    expect(walked()).toEqual([3, 3]);
  });

  it('meet poison in a table page and say where', () => {
    const core = mapped();
    core.clflush(TABLES[3]!, 64, PRIVATE);
    core.flip(TABLES[3]! + (Math.floor(GPA / PAGE) % 512) * 8, 'data', 1);
    expect(core.septWalk(0, 0, 0, GPA, false)).toBe(3);
    expect(core.fault).toMatchObject({ check: 'mac', keyId: PRIVATE });
  });

  it('batches stop at the first page that is not mapped and leave the results behind it alone', () => {
    const core = mapped();
    const gpas = Float64Array.of(GPA, GPA + 0x10, GPA + PAGE, GPA);
    const hpas = new Float64Array(5).fill(-1);
    expect(core.septWalkMany(0, 0, 0, gpas, true, hpas)).toBe(2);
    expect([...hpas]).toEqual([TARGET, TARGET, -1, -1, -1]);
    expect([core.walkStatus, core.walkEntry, core.walkLevel]).toEqual([1, FREE, 0]);
    expect(core.counters()).toMatchObject({ septWalks: 3, tlbHits: 1, tlbMisses: 2, septWalkSteps: 5 });
    expect(core.septWalkMany(0, 0, 0, gpas.subarray(0, 1), false, gpas)).toBe(1);
    expect([gpas[0], core.walkStatus, core.walkHpa]).toEqual([TARGET, 0, TARGET]);
    expect(core.septWalkMany(0, 0, 0, new Float64Array(0), false, hpas)).toBe(0);
    expect(() => core.septWalkMany(0, 0, 0, gpas, false, new Float64Array(3))).toThrow(CoreMisuse);
    expect(() => core.septWalkMany(0, 0, 0, Float64Array.of(GPA, -1), false, hpas)).toThrow(CoreMisuse);
  });

  it.each([1, 2, 3, 4, 5, 4097])('a batch of %i is refused whole when any address is none', (length) => {
    const core = mapped();
    const hpas = new Float64Array(length).fill(-1);
    const batch = (at: number, gpa: number): Float64Array => new Float64Array(length).fill(GPA).fill(gpa, at, at + 1);
    for (const at of [...Array(Math.min(length, 5)).keys(), length - 1]) {
      for (const bad of [-1, 0.5, GPA + 0.25, 2 ** 52, 2 ** 53, 2 ** 64, -(2 ** 52), Number.NaN, Infinity, -Infinity, 5e-324]) {
        expect(() => core.septWalkMany(0, 0, 0, batch(at, bad), false, hpas), `${bad} at ${at}`).toThrow(CoreMisuse);
      }
      expect(hpas).toEqual(new Float64Array(length).fill(-1));
      expect(core.counters().septWalks).toBe(0);
    }
    for (const good of [0, -0, 1, 2 ** 52 - 1]) {
      const other = mapped();
      expect(other.septWalkMany(0, 0, 0, batch(0, good), false, hpas), `${good}`).toBe(0);
    }
  });

  it('batches longer than a call go on where the call ended', () => {
    const core = mapped();
    const gpas = new Float64Array(10_000).fill(GPA);
    gpas[9_000] = GPA + PAGE;
    const hpas = new Float64Array(10_000);
    expect(core.septWalkMany(0, 0, 0, gpas, false, hpas)).toBe(9_000);
    expect([hpas[8_999], hpas[9_000]]).toEqual([TARGET, 0]);
    expect(core.counters()).toMatchObject({ septWalks: 9_001, tlbHits: 8_999 });
  });

  it('an address wider than the tables is a violation at the top, without a step', () => {
    const core = mapped();
    expect([core.septWalk(0, 0, 0, 2 ** 48, false), core.walkLevel, core.walkEntry]).toEqual([1, 3, 0n]);
    expect(core.counters()).toMatchObject({ septWalks: 1, tlbMisses: 1, septWalkSteps: 0 });
  });

  it('an LP without a root has no mapping, and costs nothing', () => {
    const core = mapped();
    const before = core.memoryUsed();
    expect([core.septWalk(7, 3, 0, GPA, false), core.walkLevel]).toEqual([1, 0]);
    core.invept(7);
    expect(core.memoryUsed()).toBe(before);
  });

  it('logical processors do not see what others cached, whoever walked last', () => {
    const core = mapped();
    for (const lp of [0, 1]) {
      core.septSetRoot(lp, 0, ROOT, PRIVATE, 4);
      core.septWalk(lp, 0, 0, GPA, false);
      setEntry(core, 0, GPA, BigInt(TARGET + PAGE) | RWX | LEAF);
    }
    const hpa = (lp: number): number => (core.septWalk(lp, 0, 0, GPA, false) === 0 ? core.walkHpa : -1);
    expect([hpa(0), hpa(1), hpa(0), hpa(1)]).toEqual([TARGET, TARGET + PAGE, TARGET, TARGET + PAGE]);
    core.invept(1);
    expect([hpa(0), hpa(1)]).toEqual([TARGET, TARGET + PAGE]);
  });

  it('INVEPT forgets every time, also when the epoch starts again', () => {
    const core = mapped();
    core.septWalk(0, 0, 0, GPA, false);
    setEntry(core, 0, GPA, FREE);
    // The epoch has 24 bits: after as many INVEPTs it is what it was when the translation was cached.
    for (let i = 0; i < 2 ** 24 - 2; i++) core.invept(0);
    for (let i = 0; i < 4; i++) {
      core.invept(0);
      expect(core.septWalk(0, 0, 0, GPA, false)).toBe(1);
    }
  });

  it('keep thousands of roots apart until INVEPT', () => {
    const core = mapped();
    const roots = Array.from({ length: 2000 }, (_, i) => 0x2000000 + i * PAGE);
    const at = (root: number): number => root + Math.floor(GPA / 2 ** 39) * 8;
    const walkFrom = (root: number): number => {
      core.septSetRoot(0, 0, root, PRIVATE, 4);
      return core.septWalk(0, 0, 0, GPA, false);
    };
    for (const [i, root] of roots.entries()) {
      core.movdir64bFill(0, root, 64, PRIVATE, FREE);
      core.mailbox.u64[0] = i % 2 ? FREE : BigInt(TABLES[1]!) | RWX;
      core.store(0, at(root), 8, PRIVATE);
    }
    const first = roots.map(walkFrom);
    expect(first).toEqual(roots.map((_, i) => i % 2));
    for (const root of roots.filter((_, i) => i % 2 === 0)) core.fill(0, at(root), 8, PRIVATE, FREE);
    expect(roots.map(walkFrom)).toEqual(first);
    core.invept(0);
    expect(new Set(roots.map(walkFrom))).toEqual(new Set([1]));
  });

  it('a cached page costs at most 11 bytes, and walking on after INVEPT takes no more memory', () => {
    const core = mapped();
    const PAGES = 2 ** 16;
    const leaves = 0x4000000;
    for (let i = 0; i < 128; i++) {
      setEntry(core, 1, i * 2 ** 21, BigInt(leaves + i * PAGE) | RWX);
      const entries = BigUint64Array.from({ length: 512 }, (_, j) => BigInt(TARGET + (i * 512 + j) * PAGE) | RWX | LEAF);
      core.movdir64bFill(0, leaves + i * PAGE, 64, PRIVATE, FREE);
      core.write(0, leaves + i * PAGE, PRIVATE, new Uint8Array(entries.buffer));
    }
    setEntry(core, 2, 0, BigInt(TABLES[2]!) | RWX);
    setEntry(core, 3, 0, BigInt(TABLES[1]!) | RWX);
    const gpas = Float64Array.from({ length: PAGES }, (_, i) => i * PAGE);
    const hpas = new Float64Array(PAGES);
    const walkAll = (): number => core.septWalkMany(0, 0, 0, gpas, true, hpas);
    const before = core.memoryUsed();
    expect(walkAll()).toBe(PAGES);
    expect(hpas).toEqual(gpas.map((gpa) => TARGET + gpa));
    const used = core.memoryUsed();
    expect((used - before) / PAGES).toBeLessThan(11);
    for (let round = 0; round < 5; round++) {
      core.invept(0);
      expect(walkAll()).toBe(PAGES);
    }
    expect(core.memoryUsed()).toBe(used);
  });
});

describe('S-EPT walks when memory is short', () => {
  it('forget and walk again: every answer is right, and the machine goes on', () => {
    const core = createCore(CONFIG, undefined, { maxMemoryBytes: 6 * 2 ** 20 });
    for (const table of TABLES) core.movdir64bFill(0, table, 64, PRIVATE, FREE);
    // Every path leads through the same four tables, so that the mirror outgrows them.
    for (const level of [3, 2, 1]) {
      const entry = BigInt(TABLES[4 - level]!) | RWX;
      core.fill(0, TABLES[3 - level]!, PAGE, PRIVATE, entry);
    }
    core.fill(0, TABLES[3]!, PAGE, PRIVATE, BigInt(TARGET) | RWX | LEAF);
    core.septSetRoot(0, 0, ROOT, PRIVATE, 4);
    const gpas = Float64Array.from({ length: 20_000 }, (_, i) => i * 2 ** 21 + (i % 512) * PAGE);
    const hpas = new Float64Array(gpas.length);
    expect(core.septWalkMany(0, 0, 0, gpas, false, hpas)).toBe(gpas.length);
    expect(new Set(hpas)).toEqual(new Set([TARGET]));
    expect(core.memoryUsed()).toBeLessThan(6 * 2 ** 20);
    core.septSetRoot(0, 1, TABLES[0]!, PRIVATE, 4);
    expect(core.septWalk(0, 1, 0, GPA, false)).toBe(0);
    core.fill(0, TARGET, PAGE, 0, 1n);
    expect([core.load(0, TARGET, 8, 0), core.mailbox.u64[0]]).toEqual([0, 1n]);
  });
});
