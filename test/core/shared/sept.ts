/** Page walks: the tables live in simulated memory, and an LP's TLB is stale until INVEPT (DESIGN.md §3). */

import { describe, expect, it } from 'vitest';
import { type Engine, HOME1, keyed, type Machine, PRIVATE, SHARED } from './engine.ts';

const MAPPED = 0;
const VIOLATION = 1;
const MISCONFIGURED = 2;
const POISONED = 3;

const TABLE = (level: number): number => 0x400000 + level * 0x1000;
const ROOT = TABLE(3);
const PAGE = HOME1 + 0x7000;
const GPA = 0x40201000;
/** Index of GPA's entry in the table of a level. */
const index = (level: number, gpa = GPA): number => Math.floor(gpa / 2 ** (12 + 9 * level)) % 512;

const NON_LEAF = 0x7n;
/** R, W, X, write-back, ignore PAT, leaf. */
const LEAF = 0xf7n;
/** Suppress #VE, state FREE: not zero, but not present either. */
const FREE = 0x80e0000000000000n;

/** SDM vol. 3C, "EPT Misconfigurations": what is wrong, at which level, and the entry. */
const MISCONFIGURATIONS: [string, number, bigint][] = [
  ['write without read', 0, BigInt(PAGE) | 0xf2n],
  ['write and execute without read', 0, BigInt(PAGE) | 0xf6n],
  ['memory type 2', 0, BigInt(PAGE) | 0x17n],
  ['memory type 3', 0, BigInt(PAGE) | 0x1fn],
  ['memory type 7', 0, BigInt(PAGE) | 0x3fn],
  ['memory type 7 of an execute-only page', 0, BigInt(PAGE) | 0x3cn],
  ['a 2 MiB page that is not aligned', 1, 0x40100000n | LEAF],
  ['memory type 2 of a 2 MiB page', 1, 0x40000000n | 0x97n],
  ['a 1 GiB page that is not aligned', 2, 0x60000000n | LEAF],
  ['bit 3 of a PDE', 1, BigInt(TABLE(0)) | 0xfn],
  ['bit 6 of a PDPTE', 2, BigInt(TABLE(1)) | 0x47n],
  ['bit 5 of a PML4E', 3, BigInt(TABLE(2)) | 0x27n],
  ['bit 7 of a PML4E', 3, BigInt(TABLE(2)) | 0x87n],
];

class Tables {
  readonly machine: Machine;

  constructor(engine: Engine) {
    this.machine = keyed(engine);
    for (const level of [0, 1, 2, 3]) this.machine.core.movdir64bFill(0, TABLE(level), 64, PRIVATE, FREE);
    for (const level of [3, 2, 1]) this.set(level, BigInt(TABLE(level - 1)) | NON_LEAF);
    this.set(0, BigInt(PAGE) | LEAF);
    for (const lp of [0, 1]) this.machine.core.septSetRoot(lp, 0, ROOT, PRIVATE, 4);
  }

  set(level: number, entry: bigint, gpa = GPA): void {
    this.machine.core.fill(0, TABLE(level) + index(level, gpa) * 8, 8, PRIVATE, entry);
  }

  walk(gpa = GPA, { write = false, lp = 0, pkg = 0 } = {}): unknown[] {
    const status = this.machine.core.septWalk(lp, 0, pkg, gpa, write);
    return status === MAPPED ? [status, this.machine.core.walkHpa] : [status];
  }
}

function describeWalks(engine: Engine): void {
  it('a 4 KiB page: HPA, raw entry and level', () => {
    const tables = new Tables(engine);
    expect(tables.walk()).toEqual([MAPPED, PAGE]);
    expect([tables.machine.core.walkEntry, tables.machine.core.walkLevel]).toEqual([BigInt(PAGE) | LEAF, 0]);
    expect(tables.walk(GPA, { write: true, pkg: 1 })).toEqual([MAPPED, PAGE]);
  });

  it('a 2 MiB and a 1 GiB page: the HPA of the 4 KiB page inside', () => {
    const tables = new Tables(engine);
    tables.set(1, 0x40000000n | LEAF);
    expect(tables.walk()).toEqual([MAPPED, 0x40001000]);
    expect(tables.machine.core.walkLevel).toBe(1);
    tables.machine.core.invept(0);
    tables.set(2, 0x80000000n | LEAF);
    expect(tables.walk()).toEqual([MAPPED, 0x80201000]);
    expect(tables.machine.core.walkLevel).toBe(2);
  });

  it.each([3, 2, 1, 0])('a FREE entry at level %i is a violation there', (level) => {
    const tables = new Tables(engine);
    tables.set(level, FREE);
    expect(tables.walk()).toEqual([VIOLATION]);
    expect([tables.machine.core.walkEntry, tables.machine.core.walkLevel]).toEqual([FREE, level]);
  });

  it('a write to a read-only page is a violation; the read is not', () => {
    const tables = new Tables(engine);
    tables.set(0, BigInt(PAGE) | 0xf1n);
    expect(tables.walk(GPA, { write: true })).toEqual([VIOLATION]);
    expect(tables.walk()).toEqual([MAPPED, PAGE]);
    expect(tables.walk(GPA, { write: true })).toEqual([VIOLATION]);
  });

  it.each(MISCONFIGURATIONS)('a misconfiguration: %s', (_, level, entry) => {
    const tables = new Tables(engine);
    tables.set(level, entry);
    expect(tables.walk()).toEqual([MISCONFIGURED]);
    expect([tables.machine.core.walkEntry, tables.machine.core.walkLevel]).toEqual([entry, level]);
  });

  it.each([0n, 1n, 4n, 5n, 6n])('memory type %i maps', (type) => {
    const tables = new Tables(engine);
    tables.set(0, BigInt(PAGE) | 7n | (type << 3n));
    expect(tables.walk()).toEqual([MAPPED, PAGE]);
  });

  it('bit 7 of a 4 KiB entry is ignored', () => {
    const tables = new Tables(engine);
    tables.set(0, (BigInt(PAGE) | LEAF) & ~0x80n);
    expect(tables.walk()).toEqual([MAPPED, PAGE]);
  });

  it.each([2, 1, 0])('an execute-only entry at level %i denies at the end of the walk', (level) => {
    const tables = new Tables(engine);
    const leaf = BigInt(PAGE) | LEAF;
    const entry = level === 0 ? leaf & ~3n : BigInt(TABLE(level - 1)) | 4n;
    tables.set(level, entry);
    expect(tables.walk()).toEqual([VIOLATION]);
    expect([tables.machine.core.walkEntry, tables.machine.core.walkLevel]).toEqual([level === 0 ? entry : leaf, 0]);
    tables.set(0, BigInt(PAGE) | 0xf2n);
    expect(tables.walk()).toEqual([MISCONFIGURED]);
  });

  it('a poisoned table is met as poison, with the fault of that line', () => {
    const tables = new Tables(engine);
    tables.machine.core.wbinvd(0);
    tables.machine.core.flip(TABLE(1), 'td-bit');
    expect(tables.walk()).toEqual([POISONED]);
    expect(tables.machine.core.fault).toMatchObject({ pa: TABLE(1), keyId: PRIVATE, check: 'td-bit' });
  });

  it('the tables are read under the key of the root: with another KeyID there is no mapping', () => {
    const tables = new Tables(engine);
    tables.machine.core.wbinvd(0);
    tables.machine.core.septSetRoot(2, 0, ROOT, SHARED, 4);
    expect(tables.walk(GPA, { lp: 2 })).toEqual([VIOLATION]);
  });
}

function describeStaleness(engine: Engine): void {
  it('a translation stays stale until INVEPT of that LP', () => {
    const tables = new Tables(engine);
    expect([tables.walk(), tables.walk(GPA, { lp: 1 })]).toEqual([
      [MAPPED, PAGE],
      [MAPPED, PAGE],
    ]);
    tables.set(0, FREE);
    expect(tables.walk()).toEqual([MAPPED, PAGE]);
    tables.machine.core.invept(0);
    expect(tables.walk()).toEqual([VIOLATION]);
    expect(tables.walk(GPA, { lp: 1 })).toEqual([MAPPED, PAGE]);
  });

  it('so do the entries above it: a removed table is still used for a page not walked before', () => {
    const tables = new Tables(engine);
    const neighbour = GPA + 0x1000;
    tables.set(0, BigInt(PAGE + 0x1000) | LEAF, neighbour);
    tables.walk();
    tables.set(1, FREE);
    expect(tables.walk(neighbour)).toEqual([MAPPED, PAGE + 0x1000]);
    tables.machine.core.invept(0);
    expect(tables.walk(neighbour)).toEqual([VIOLATION]);
  });

  it('a right that a table denied comes back when the entry above is read again, in the same epoch', () => {
    const tables = new Tables(engine);
    const pde = BigInt(TABLE(0));
    tables.set(1, pde | 5n);
    expect([tables.walk(), tables.walk(GPA, { write: true })]).toEqual([[MAPPED, PAGE], [VIOLATION]]);
    tables.set(1, pde | NON_LEAF);
    expect(tables.walk(GPA, { write: true })).toEqual([MAPPED, PAGE]);
    expect(tables.walk(GPA, { write: true })).toEqual([MAPPED, PAGE]);
  });

  it('what was denied before INVEPT is forgotten, also when another page of the table is denied later', () => {
    const tables = new Tables(engine);
    const pde = BigInt(TABLE(0));
    const [second, third, hole] = [GPA + 0x1000, GPA + 0x2000, GPA + 0x3000];
    for (const gpa of [second, third]) tables.set(0, BigInt(PAGE) | LEAF, gpa);
    const walks: unknown[] = [];
    tables.set(1, pde | 5n);
    walks.push(tables.walk());
    tables.machine.core.invept(0);
    tables.set(1, pde | NON_LEAF);
    walks.push(tables.walk(second), tables.walk(GPA, { write: true }), tables.walk(hole));
    tables.set(1, pde | 5n);
    walks.push(tables.walk(third), tables.walk(GPA, { write: true }));
    const mapped = [MAPPED, PAGE];
    expect(walks).toEqual([mapped, mapped, mapped, [VIOLATION], mapped, mapped]);
  });

  it('another root does not see it; going back finds it as stale as it was, until INVEPT', () => {
    const tables = new Tables(engine);
    const { core } = tables.machine;
    const other = TABLE(4);
    core.movdir64bFill(0, other, 64, PRIVATE, FREE);
    tables.walk();
    tables.set(0, FREE);
    core.septSetRoot(0, 0, other, PRIVATE, 4);
    expect(tables.walk()).toEqual([VIOLATION]);
    core.septSetRoot(0, 0, ROOT, PRIVATE, 4);
    expect(tables.walk()).toEqual([MAPPED, PAGE]);
    core.invept(0);
    expect(tables.walk()).toEqual([VIOLATION]);
  });

  it('the same root page under another KeyID is another root', () => {
    const tables = new Tables(engine);
    const { core } = tables.machine;
    tables.walk();
    core.wbinvd(0);
    core.septSetRoot(0, 0, ROOT, SHARED, 4);
    expect(tables.walk()).toEqual([VIOLATION]);
    core.septSetRoot(0, 0, ROOT, PRIVATE, 4);
    expect(tables.walk()).toEqual([MAPPED, PAGE]);
  });

  it('two roots have translations of their own for one address, in whichever slot', () => {
    const tables = new Tables(engine);
    const { core } = tables.machine;
    const other = TABLE(4);
    core.movdir64bFill(0, other, 64, PRIVATE, FREE);
    core.fill(0, other + index(3) * 8, 8, PRIVATE, BigInt(TABLE(5)) | NON_LEAF);
    core.movdir64bFill(0, TABLE(5), 64, PRIVATE, FREE);
    core.fill(0, TABLE(5) + index(2) * 8, 8, PRIVATE, 0x80000000n | LEAF);
    for (let round = 0; round < 2; round++) {
      core.septSetRoot(0, round, ROOT, PRIVATE, 4);
      expect([core.septWalk(0, round, 0, GPA, false), core.walkHpa]).toEqual([MAPPED, PAGE]);
      core.septSetRoot(0, round, other, PRIVATE, 4);
      expect([core.septWalk(0, round, 0, GPA, false), core.walkHpa]).toEqual([MAPPED, 0x80201000]);
      tables.set(0, FREE);
    }
  });

  it('a missing translation is not remembered', () => {
    const tables = new Tables(engine);
    tables.set(0, FREE);
    expect(tables.walk()).toEqual([VIOLATION]);
    tables.set(0, BigInt(PAGE) | LEAF);
    expect(tables.walk()).toEqual([MAPPED, PAGE]);
  });
}

export function describeSept(engine: Engine): void {
  describe('walks', () => describeWalks(engine));
  describe('staleness', () => describeStaleness(engine));
}
