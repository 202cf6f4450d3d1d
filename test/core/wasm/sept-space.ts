/** Random S-EPTs in a space of some ten thousand addresses: tables, edits, walks and INVEPTs that any engine can run. */
import fc from 'fast-check';
import type { MemoryCore } from '../../../bindings/index.ts';

export const PAGE = 4096;
export const FREE = 0x80e0000000000000n;
const RWX = 7n;
const LEAF_RWX = 0xf7n;
const LEAF_RX = 0xf5n;
const MISCONFIGURED = 0xf2n;

/** Tables 0..11, three for each level of a 4-level S-EPT; those of level 3 are the roots. */
export const TABLES = 12;
export const FIRST_TABLE = 0x400000;
export const tableAt = (table: number): number => FIRST_TABLE + table * PAGE;
export const levelOf = (table: number): number => Math.floor(table / 3);
export const ROOTS = [9, 10, 11];
/** Few indexes a level, on both sides of the borders of lines and of blocks. */
export const INDEXES = [0, 1, 7, 8, 63, 64, 65, 200, 448, 511];

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

/** An entry that a table may hold: FREE, the next table, leaves of both kinds, a misconfiguration, an address that is too wide. */
function entryOf(table: number, choice: number, target: number, rights: boolean): bigint {
  const level = levelOf(table);
  if (choice === 0) return FREE;
  if (choice === 8) return (1n << 50n) | RWX;
  if (choice === 1) return (BigInt(target) << 30n) | MISCONFIGURED;
  if (level === 0) return (BigInt(0x10000 + target * 7) << 12n) | (rights ? LEAF_RWX : LEAF_RX);
  if (choice === 2) return (BigInt(target + 1) << 30n) | (rights ? LEAF_RWX : LEAF_RX);
  return BigInt(tableAt((level - 1) * 3 + (target % 3))) | RWX;
}

const index = fc.constantFrom(...INDEXES);
const gpa = fc
  .tuple(fc.constantFrom(0, 0, 0, 8, 300), index, index, index)
  .map(([a, b, c, d]) => ((a * 512 + b) * 512 + c) * 512 * PAGE + d * PAGE);

/** `readOnly`: leaves that must not be written come up, and writes. */
function steps(readOnly: boolean): fc.Arbitrary<Step> {
  const write = readOnly ? fc.boolean() : fc.constant(false);
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(fc.nat(TABLES - 1), index, fc.nat(9), fc.nat(30), write).map(([table, at, choice, target, rx]) => ({
        kind: 'set' as const,
        table,
        index: at,
        entry: entryOf(table, choice, target, !rx),
      })),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('walk' as const),
        lp: fc.nat(2),
        gpas: fc.array(gpa, { minLength: 1, maxLength: 12 }),
        write,
        pkg: fc.nat(1),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('root' as const), lp: fc.nat(2), table: fc.constantFrom(...ROOTS) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('invept' as const), lp: fc.nat(2) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('churn' as const),
        pkg: fc.nat(1),
        table: fc.nat(TABLES - 1),
        how: fc.nat(3),
      }),
    },
  );
}

export const programs = (readOnly: boolean): fc.Arbitrary<Step[]> =>
  fc.array(steps(readOnly), { minLength: 5, maxLength: 60, size: 'max' });

/** Every entry of {@link INDEXES} leads on at first, so that most walks go somewhere. */
export function prepare(set: (table: number, index: number, entry: bigint) => void): void {
  for (let table = 0; table < TABLES; table++) {
    for (const [i, at] of INDEXES.entries()) set(table, at, entryOf(table, 9, i, true));
  }
}

/** Takes table pages out of the caches, or brings other pages in: nothing that a walk may notice. */
export function churn(core: MemoryCore, keyId: number, { pkg, table, how }: Extract<Step, { kind: 'churn' }>): void {
  if (how === 0) core.wbinvd(pkg);
  if (how === 1) core.clflush(tableAt(table), 64, keyId);
  if (how === 2) core.evictSome(pkg, 5);
  if (how === 3) core.load(pkg, tableAt(TABLES + table), 8, 0);
}
