/** Random S-EPTs in a space of some ten thousand addresses: tables, edits, walks and INVEPTs that any engine can run. */
import fc from 'fast-check';
import type { MemoryCore } from '../../../bindings/index.ts';

export const PAGE = 4096;
export const FREE = 0x80e0000000000000n;
const RWX = 7n;
const LEAF = 0xf0n;

/** Tables 0..14, three for each level; those of levels 3 and 4 are the roots of S-EPTs with 4 and 5 levels. */
export const TABLES = 15;
export const FIRST_TABLE = 0x400000;
export const tableAt = (table: number): number => FIRST_TABLE + table * PAGE;
export const levelOf = (table: number): number => Math.floor(table / 3);
export const ROOTS = [9, 10, 11, 12, 13, 14];
/** Few indexes a level, on both sides of the borders of lines and of blocks. */
export const INDEXES = [0, 1, 4, 5, 6, 7, 8, 63, 64, 65, 200, 448, 511];
/** An index that leads nowhere. */
const UNUSED = 300;
const LINES = new Set([...INDEXES, UNUSED].map((at) => Math.floor(at / 8)));

export type Step =
  | { readonly kind: 'set'; readonly table: number; readonly index: number; readonly entry: bigint }
  | {
      readonly kind: 'walk';
      readonly lp: number;
      readonly gpas: readonly number[];
      readonly write: boolean;
      readonly pkg: number;
    }
  | { readonly kind: 'root'; readonly lp: number; readonly table: number }
  | { readonly kind: 'invept'; readonly lp: number }
  | { readonly kind: 'churn'; readonly pkg: number; readonly table: number; readonly how: number };

interface Entry {
  /** Maps a page, also above 4 KiB. */
  readonly leaf: boolean;
  /** Which page, or which of the three tables. */
  readonly target: number;
  readonly rights: bigint;
  /** A bit that is the other way round than it should be, or 0. */
  readonly flipped: bigint;
}

function rawOf(table: number, { leaf, target, rights, flipped }: Entry): bigint {
  const level = levelOf(table);
  if (level > 0 && !leaf) return (BigInt(tableAt((level - 1) * 3 + (target % 3))) | rights) ^ flipped;
  const page = level === 0 ? BigInt(0x10000 + target * 7) << 12n : BigInt(target + 1) << 30n;
  return (page | LEAF | rights) ^ flipped;
}

const index = fc.constantFrom(...INDEXES);
/** Nothing is ever mapped here, and what is cached on the way is dropped. */
const HOLE = 2 * PAGE;
const near = fc.constantFrom(0, 1, 4, 5, 6, 7, 8, 63, 64).map((at) => at * PAGE);
/** Most addresses lie close together, and most edits on the way there: what is written is walked, and walked again. */
const NEAR = 5;
const gpa = fc.oneof(
  { weight: NEAR, arbitrary: near },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 0, 0, 0, 0, 1, 7), fc.constantFrom(0, 0, 0, 8, UNUSED), index, index, index)
      .map(([top, a, b, c, d]) => (((top * 512 + a) * 512 + b) * 512 + c) * 512 * PAGE + d * PAGE),
  },
);
const lp = fc.constantFrom(0, 0, 0, 0, 1, 2);

const RESERVED_OR_NOT = [3, 4, 5, 6, 7, 12, 20, 29, 45, 46, 51];
const entry = fc.record({
  leaf: fc.nat(9).map((n) => n === 0),
  target: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(30) }),
  rights: fc.constantFrom(...Array<bigint>(8).fill(RWX), ...Array<bigint>(6).fill(5n), 4n, 3n, 2n, 1n, 0n),
  flipped: fc.constantFrom(...Array<bigint>(99).fill(0n), ...RESERVED_OR_NOT.map((bit) => 1n << BigInt(bit))),
});

const place = fc.oneof(
  { weight: NEAR, arbitrary: fc.tuple(fc.constantFrom(0, 3, 3, 3, 3, 6, 9, 12), fc.constant(0)) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(TABLES - 1), index) },
);

const set = fc.tuple(place, entry).map(([[table, index], entry]) => ({
  kind: 'set' as const,
  table,
  index,
  entry: entry.rights === 0n ? FREE : rawOf(table, entry),
}));

const walk = fc.record({
  kind: fc.constant('walk' as const),
  lp,
  gpas: fc.array(gpa, { minLength: 1, maxLength: 12 }),
  write: fc.boolean(),
  pkg: fc.nat(1),
});

const churned = fc.record({ kind: fc.constant('churn' as const), pkg: fc.nat(1), table: fc.nat(TABLES - 1), how: fc.nat(3) });

const anywhere: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: set },
  { weight: 8, arbitrary: walk },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('root' as const), lp, table: fc.constantFrom(...ROOTS) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('invept' as const), lp }) },
  { weight: 2, arbitrary: churned },
);

/** One 2 MiB region, whose table now may and now must not be written through: what an entry denies must come and go with it. */
const protect = fc.constantFrom(5n, RWX).map((rights) => ({
  kind: 'set' as const,
  table: 3,
  index: 0,
  entry: rawOf(3, { leaf: false, target: 0, rights, flipped: 0n }),
}));
const walkNear = fc.record({
  kind: fc.constant('walk' as const),
  lp: fc.constant(0),
  gpas: fc.tuple(fc.oneof({ weight: 5, arbitrary: near }, { weight: 1, arbitrary: fc.constant(HOLE) })),
  write: fc.boolean(),
  pkg: fc.constant(0),
});

const inOneRegion: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: protect },
  { weight: 80, arbitrary: walkNear },
  { weight: 6, arbitrary: fc.constant({ kind: 'invept', lp: 0 } as const) },
  { weight: 1, arbitrary: churned },
);

export const programs: fc.Arbitrary<Step[]> = fc.oneof(
  fc.array(anywhere, { minLength: 5, maxLength: 80, size: 'max' }),
  fc.array(inOneRegion, { minLength: 5, maxLength: 300, size: 'max' }),
);

/** Gives the lines of the tables that walks may come to their owner. */
export function own(core: MemoryCore, keyId: number): void {
  for (let table = 0; table < TABLES; table++) {
    for (const line of LINES) core.movdir64bFill(0, tableAt(table) + line * 64, 1, keyId, FREE);
  }
}

/** Every entry of {@link INDEXES} leads on at first, so that most walks go somewhere. */
export function prepare(set: (table: number, index: number, entry: bigint) => void): void {
  for (let table = 0; table < TABLES; table++) {
    for (const [target, at] of INDEXES.entries()) set(table, at, rawOf(table, { leaf: false, target, rights: RWX, flipped: 0n }));
  }
}

export function setRoot(core: MemoryCore, lp: number, table: number, keyId: number): void {
  core.septSetRoot(lp, 0, tableAt(table), keyId, levelOf(table) + 1);
}

/** Takes table pages out of the caches, or brings other pages in: nothing that a walk may notice. */
export function churn(core: MemoryCore, keyId: number, { pkg, table, how }: Extract<Step, { kind: 'churn' }>): void {
  if (how === 0) core.wbinvd(pkg);
  if (how === 1) core.clflush(tableAt(table), 64, keyId);
  if (how === 2) core.evictSome(pkg, 5);
  if (how === 3) core.load(pkg, tableAt(TABLES + table), 8, 0);
}
