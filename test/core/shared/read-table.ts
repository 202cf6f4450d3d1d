/** DESIGN.md §3, "Reads at the memory controller", row by row. */

import { describe, expect, it } from 'vitest';
import type { Check, CoreConfig } from '../../../bindings/memory-core.ts';
import {
  bytesOf,
  type Engine,
  expectBinomial,
  HOME0,
  HOME1,
  keyed,
  LINE,
  type Machine,
  PRIVATE,
  PRIVATE2,
  randomStream,
  SHARED,
  SHARED2,
  TME,
  ZEROS,
} from './engine.ts';

type Gives = 'plain' | 'garbage' | 'zeros';

interface Row {
  readonly row: string;
  readonly knobs: Partial<CoreConfig>;
  /** KeyID that wrote the line, and what an attacker did to it then. */
  readonly written: number;
  readonly flipped?: 'data' | 'mac' | 'td-bit' | 'poison';
  readonly reader: number;
  readonly gives: Gives;
  /** The check that makes new poison (`poison`: it was there before). */
  readonly check: Check;
  /** Did the read look at the TD bit, at the MAC? */
  readonly looks: readonly [tdBit: number, mac: number];
}

const CI = { integrity: 'Ci', sharedIntegrity: true } as const;
const CI_PLAIN_SHARED = { integrity: 'Ci', sharedIntegrity: false } as const;
const LI = { integrity: 'Li', sharedIntegrity: true } as const;
const MAC_FIRST = { ...CI, checkOrder: 'mac-first' } as const;
const NO_TD_BIT = { ...CI, tdBit: false } as const;

const poisonedRows: Row[] = [TME, SHARED, PRIVATE].flatMap((reader) =>
  [CI, LI].map(
    (knobs): Row => ({
      row: 'already poisoned',
      knobs,
      written: reader,
      flipped: 'poison',
      reader,
      gives: 'zeros',
      check: 'poison',
      looks: [0, 0],
    }),
  ),
);

// biome-ignore format: a table
const ROWS: Row[] = [
  ...poisonedRows,
  { row: 'TD bit 0 | private (Ci)', knobs: CI, written: TME, reader: PRIVATE, gives: 'zeros', check: 'td-bit', looks: [1, 0] },
  { row: 'TD bit 0 | private (Li)', knobs: LI, written: SHARED, reader: PRIVATE, gives: 'zeros', check: 'td-bit', looks: [1, 0] },
  { row: 'TD bit 0 by a flip | private', knobs: CI, written: PRIVATE, flipped: 'td-bit', reader: PRIVATE, gives: 'zeros', check: 'td-bit', looks: [1, 0] },
  { row: 'TD bit 1, MAC right | private', knobs: CI, written: PRIVATE, reader: PRIVATE, gives: 'plain', check: 'none', looks: [1, 1] },
  { row: 'TD bit 1, Li | private', knobs: LI, written: PRIVATE, reader: PRIVATE, gives: 'plain', check: 'none', looks: [1, 0] },
  { row: 'TD bit 1, Li, another key | private', knobs: LI, written: PRIVATE2, reader: PRIVATE, gives: 'garbage', check: 'none', looks: [1, 0] },
  { row: 'TD bit 1, MAC wrong by another key | private', knobs: CI, written: PRIVATE2, reader: PRIVATE, gives: 'zeros', check: 'mac', looks: [1, 1] },
  { row: 'TD bit 1, MAC wrong by data | private', knobs: CI, written: PRIVATE, flipped: 'data', reader: PRIVATE, gives: 'zeros', check: 'mac', looks: [1, 1] },
  { row: 'TD bit 1, MAC wrong by MAC | private', knobs: CI, written: PRIVATE, flipped: 'mac', reader: PRIVATE, gives: 'zeros', check: 'mac', looks: [1, 1] },
  { row: 'TD bit 1, tampered, Li | private', knobs: LI, written: PRIVATE, flipped: 'data', reader: PRIVATE, gives: 'garbage', check: 'none', looks: [1, 0] },
  { row: 'TD bit 0, MAC right | shared with integrity', knobs: CI, written: SHARED, reader: SHARED, gives: 'plain', check: 'none', looks: [1, 1] },
  { row: 'TD bit 0, MAC wrong by another key | shared with integrity', knobs: CI, written: SHARED2, reader: SHARED, gives: 'zeros', check: 'mac', looks: [1, 1] },
  { row: 'TD bit 0, no MAC stored | shared with integrity', knobs: CI, written: TME, reader: SHARED, gives: 'zeros', check: 'mac', looks: [1, 1] },
  { row: 'TD bit 1 | shared with integrity', knobs: CI, written: PRIVATE, reader: SHARED, gives: 'zeros', check: 'td-bit', looks: [1, 0] },
  { row: 'TD bit 0 | KeyID 0 (Ci)', knobs: CI, written: TME, reader: TME, gives: 'plain', check: 'none', looks: [1, 0] },
  { row: 'TD bit 0, another key | KeyID 0', knobs: CI, written: SHARED, reader: TME, gives: 'garbage', check: 'none', looks: [1, 0] },
  { row: 'TD bit 0, another key | shared without integrity', knobs: CI_PLAIN_SHARED, written: TME, reader: SHARED, gives: 'garbage', check: 'none', looks: [1, 0] },
  { row: 'TD bit 0, another key | shared in Li', knobs: LI, written: SHARED2, reader: SHARED, gives: 'garbage', check: 'none', looks: [1, 0] },
  { row: 'TD bit 1 | KeyID 0', knobs: CI, written: PRIVATE, reader: TME, gives: 'zeros', check: 'none', looks: [1, 0] },
  { row: 'TD bit 1 | shared without integrity', knobs: CI_PLAIN_SHARED, written: PRIVATE, reader: SHARED, gives: 'zeros', check: 'none', looks: [1, 0] },
  { row: 'TD bit 1 | shared in Li', knobs: LI, written: PRIVATE, reader: SHARED, gives: 'zeros', check: 'none', looks: [1, 0] },
  { row: 'mac-first: TD bit 1, MAC wrong | private', knobs: MAC_FIRST, written: PRIVATE2, reader: PRIVATE, gives: 'zeros', check: 'mac', looks: [0, 1] },
  { row: 'mac-first: TD bit 0, no MAC | private', knobs: MAC_FIRST, written: TME, reader: PRIVATE, gives: 'zeros', check: 'mac', looks: [0, 1] },
  { row: 'mac-first: TD bit 1 | shared with integrity', knobs: MAC_FIRST, written: PRIVATE, reader: SHARED, gives: 'zeros', check: 'mac', looks: [0, 1] },
  { row: 'mac-first: TD bit 1, MAC right | private', knobs: MAC_FIRST, written: PRIVATE, reader: PRIVATE, gives: 'plain', check: 'none', looks: [1, 1] },
  { row: 'mac-first: TD bit 1 | KeyID 0', knobs: MAC_FIRST, written: PRIVATE, reader: TME, gives: 'zeros', check: 'none', looks: [1, 0] },
  { row: 'no TD bit: MAC wrong | private', knobs: NO_TD_BIT, written: TME, reader: PRIVATE, gives: 'zeros', check: 'mac', looks: [0, 1] },
  { row: 'no TD bit: MAC right | private', knobs: NO_TD_BIT, written: PRIVATE, reader: PRIVATE, gives: 'plain', check: 'none', looks: [0, 1] },
  { row: 'no TD bit: private line | KeyID 0', knobs: NO_TD_BIT, written: PRIVATE, reader: TME, gives: 'garbage', check: 'none', looks: [0, 0] },
  { row: 'no TD bit: private line | shared with integrity', knobs: NO_TD_BIT, written: PRIVATE, reader: SHARED, gives: 'zeros', check: 'mac', looks: [0, 1] },
  { row: 'no TD bit, Li: KeyID-0 line | private', knobs: { ...LI, tdBit: false }, written: TME, reader: PRIVATE, gives: 'garbage', check: 'none', looks: [0, 0] },
  { row: 'none: TD bit 0 | private', knobs: { integrity: 'none' }, written: TME, reader: PRIVATE, gives: 'zeros', check: 'td-bit', looks: [1, 0] },
  { row: 'none: TD bit 1, another key | private', knobs: { integrity: 'none' }, written: PRIVATE2, reader: PRIVATE, gives: 'garbage', check: 'none', looks: [1, 0] },
];

const PLAIN = bytesOf(1);

function prepare(engine: Engine, { knobs, written, flipped }: Row): Machine {
  const machine = keyed(engine, knobs);
  machine.put(HOME0, written, PLAIN);
  if (flipped) machine.core.flip(HOME0, flipped, flipped === 'data' ? 77 : 0);
  return machine;
}

/** The bytes a row promises, computed from the ciphertext on the bus. */
function expected(machine: Machine, { gives, reader }: Row): Uint8Array {
  if (gives === 'plain') return PLAIN;
  return gives === 'zeros' ? ZEROS : machine.keyOf(reader).decrypt(HOME0 / LINE, machine.core.capture(HOME0).ciphertext);
}

function poisons(row: Row): boolean {
  return row.check !== 'none';
}

function checkLoad(engine: Engine, row: Row): void {
  const machine = prepare(engine, row);
  const data = expected(machine, row);
  const [tdBitChecks, macChecks] = row.looks;
  const counted = machine.counted(() => {
    expect(machine.load(0, HOME0, row.reader)).toEqual(poisons(row) ? null : data);
  });
  expect(counted).toMatchObject({ tdBitChecks, macChecks, poisonCreated: poisons(row) && row.flipped !== 'poison' ? 1 : 0 });
  expect(machine.core.inspect(HOME0).poison).toBe(poisons(row));
  expect(machine.copies(HOME0)).toMatchObject([{ keyId: row.reader, dirty: false, poison: poisons(row), data }]);
  if (poisons(row))
    expect(machine.core.fault).toMatchObject({ pa: HOME0, keyId: row.reader, check: row.check, storedKeyId: row.written });
}

function checkSpeculation(engine: Engine, row: Row): void {
  const machine = prepare(engine, row);
  const data = expected(machine, row);
  const counted = machine.counted(() => machine.core.speculate(0, HOME0, row.reader));
  expect(counted.poisonConsumed).toBe(0);
  expect(machine.core.inspect(HOME0).poison).toBe(poisons(row));
  expect(machine.copies(HOME0)).toMatchObject([{ keyId: row.reader, poison: poisons(row), data }]);
  expect(machine.load(0, HOME0, row.reader)).toEqual(poisons(row) ? null : data);
}

function checkDma(engine: Engine, row: Row): void {
  const machine = prepare(engine, row);
  const data = expected(machine, row);
  expect(machine.dma(HOME0, row.reader)).toEqual(poisons(row) ? null : data);
  expect(machine.core.inspect(HOME0).poison).toBe(poisons(row));
  expect(machine.holders(HOME0)).toEqual([]);
}

/** A store consumes nothing, but its read for ownership leaves the same poison in DRAM and in the cached line. */
function checkOwnership(engine: Engine, row: Row): void {
  const machine = prepare(engine, row);
  const data = expected(machine, row).slice();
  data.set([9], 5);
  expect(machine.store(0, HOME0 + 5, row.reader, Uint8Array.of(9))).toBe(0);
  expect(machine.core.inspect(HOME0).poison).toBe(poisons(row));
  expect(machine.copies(HOME0)).toMatchObject([{ keyId: row.reader, dirty: true, poison: poisons(row), data }]);
}

function describeRows(engine: Engine): void {
  const name = (row: Row): string => `${row.row} (KeyID ${row.reader} over ${row.written}, ${row.knobs.integrity})`;
  describe.each(ROWS.map((row) => ({ name: name(row), row })))('$name', ({ row }) => {
    it('load', () => checkLoad(engine, row));
    it('speculative load, then load', () => checkSpeculation(engine, row));
    it('DMA read', () => checkDma(engine, row));
    it('read for ownership', () => checkOwnership(engine, row));
  });
}

/** Lines in every state a host can bring about, and some it cannot. */
function scatter(machine: Machine, lines: number): void {
  const random = randomStream(4);
  for (let i = 0; i < lines; ++i) {
    const pa = HOME0 + i * LINE;
    const writer = [TME, SHARED, PRIVATE, PRIVATE2, null][random() % 5];
    if (writer !== null) machine.put(pa, writer, bytesOf(i));
    const flip = random() % 8;
    if (flip === 0) machine.core.flip(pa, 'data', random() % 512);
    if (flip === 1) machine.core.flip(pa, 'mac', random() % 28);
    if (flip === 2) machine.core.flip(pa, 'td-bit');
  }
}

function describeKeyId0(engine: Engine): void {
  it('[S0-04] KeyID 0 never makes or meets poison: 10,000 lines in random states', () => {
    const machine = keyed(engine, CI);
    const lines = 10_000;
    scatter(machine, lines);
    const byKeyId0 = machine.counted(() => {
      for (let i = 0; i < lines; ++i) expect(machine.core.load(0, HOME0 + i * LINE, LINE, TME)).toBe(0);
    });
    expect(byKeyId0).toMatchObject({ macChecks: 0, poisonCreated: 0, poisonConsumed: 0, tdBitChecks: lines });
    const byPrivate = machine.counted(() => {
      for (let i = 0; i < lines; ++i) machine.core.load(0, HOME0 + i * LINE, LINE, PRIVATE);
    });
    expect(byPrivate.poisonCreated).toBeGreaterThan(lines / 2);
  });
}

function describeTdBitFirst(engine: Engine): void {
  const readPrivateLine = (knobs: Partial<CoreConfig>, reader: number): Record<string, number> => {
    const machine = keyed(engine, { ...CI, ...knobs });
    machine.put(HOME1, PRIVATE, PLAIN);
    return machine.counted(() => machine.core.speculate(0, HOME1, reader));
  };

  it('[S0-06] a shared read of a private line increments the TD-bit counters only; mac-first checks the MAC', () => {
    const tdFirst = readPrivateLine({}, SHARED);
    expect(tdFirst).toMatchObject({ tdBitChecks: 1, tdBitMismatches: 1, macChecks: 0, macMismatches: 0 });
    expect(readPrivateLine({ checkOrder: 'mac-first' }, SHARED)).toMatchObject({ macChecks: 1, macMismatches: 1 });
  });

  it('[S0-06] the MAC is compared when the TD bit matched', () => {
    const counted = readPrivateLine({}, PRIVATE);
    expect(counted).toMatchObject({ tdBitChecks: 1, tdBitMismatches: 0, macChecks: 1, macMismatches: 0 });
  });

  it('[S0-07] fixed pattern without integrity; with integrity new poison, and #MC only when it is consumed', () => {
    const without = keyed(engine, CI_PLAIN_SHARED);
    without.put(HOME0, PRIVATE, PLAIN);
    expect(without.load(0, HOME0, SHARED)).toEqual(ZEROS);
    expect(without.core.inspect(HOME0).poison).toBe(false);
    expect(without.load(0, HOME0, PRIVATE)).toEqual(PLAIN);

    const withIntegrity = keyed(engine, CI);
    withIntegrity.put(HOME0, PRIVATE, PLAIN);
    const speculated = withIntegrity.counted(() => withIntegrity.core.speculate(0, HOME0, SHARED));
    expect(speculated).toMatchObject({ tdBitMismatches: 1, poisonCreated: 1, poisonConsumed: 0 });
    const loaded = withIntegrity.counted(() => expect(withIntegrity.load(0, HOME0, SHARED)).toBeNull());
    expect(loaded).toMatchObject({ poisonCreated: 0, poisonConsumed: 1 });
  });

  it('[S0-41] a speculative load raises nothing but leaves the check result behind; a load raises', () => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, PRIVATE, PLAIN);
    machine.put(HOME0 + LINE, PRIVATE, PLAIN);
    const speculative = machine.counted(() => {
      machine.core.speculate(0, HOME0, PRIVATE2);
      machine.core.speculate(0, HOME0 + LINE, PRIVATE);
    });
    expect(speculative).toMatchObject({ speculativeLoads: 2, macMismatches: 1, poisonConsumed: 0 });
    expect([machine.core.inspect(HOME0).poison, machine.core.inspect(HOME0 + LINE).poison]).toEqual([true, false]);
    expect(machine.load(0, HOME0, PRIVATE2)).toBeNull();
    expect(machine.load(0, HOME0 + LINE, PRIVATE)).toEqual(PLAIN);
  });
}

interface Attack {
  tries: number;
  matches: number;
  macChecks: number;
}

/** The host re-keys a shared KeyID again and again, each time looking speculatively at another line of a TD. */
function guessKeys(engine: Engine, tries: number, knobs: Partial<CoreConfig>): Attack {
  const machine = keyed(engine, { ...CI, macBits: 8, ...knobs });
  for (let i = 0; i < tries; ++i) machine.put(HOME0 + i * LINE, PRIVATE, bytesOf(i));
  let matches = 0;
  const counted = machine.counted(() => {
    for (let i = 0; i < tries; ++i) {
      const pa = HOME0 + i * LINE;
      machine.core.programKey(0, SHARED, 'random');
      machine.core.speculate(0, pa, SHARED);
      machine.core.clflush(pa, 1, SHARED);
      if (!machine.core.inspect(pa).poison) matches += 1;
    }
  });
  return { tries, matches, macChecks: counted.macChecks };
}

function describeKeyGuessing(engine: Engine): void {
  it('[S0-39] without a TD bit a re-keyed shared KeyID matches an 8-bit MAC about once in 2^8 tries; each miss poisons', () => {
    const attack = guessKeys(engine, 4096, { tdBit: false });
    expect(attack.macChecks).toBe(attack.tries);
    expectBinomial(attack.matches, attack.tries, 2 ** -8);
  });

  it('[S0-38] [S0-40] with the TD bit the same attack never reaches the MAC and never matches', () => {
    expect(guessKeys(engine, 4096, {})).toEqual({ tries: 4096, matches: 0, macChecks: 0 });
  });

  it('[S0-06] [S0-38] mac-first brings the MAC checks back', () => {
    expect(guessKeys(engine, 64, { checkOrder: 'mac-first' }).macChecks).toBe(64);
  });
}

function describeFirstCheck(engine: Engine): void {
  /** A dirty KeyID-0 line lands on a private line; then the private reader comes. */
  const overwritten = (knobs: Partial<CoreConfig>): Machine => {
    const machine = keyed(engine, knobs);
    machine.store(1, HOME0, TME, bytesOf(3));
    machine.put(HOME0, PRIVATE, PLAIN);
    machine.core.evict(1, HOME0, TME);
    return machine;
  };

  it.each([
    { tdBit: true, integrity: 'Ci', check: 'td-bit', macWouldFire: true },
    { tdBit: true, integrity: 'none', check: 'td-bit', macWouldFire: null },
    { tdBit: false, integrity: 'Ci', check: 'mac', macWouldFire: true },
  ] as const)(
    '[S0-08] tdBit $tdBit, integrity $integrity: first caught by $check',
    ({ tdBit, integrity, check, macWouldFire }) => {
      const machine = overwritten({ tdBit, integrity });
      expect(machine.load(0, HOME0, PRIVATE)).toBeNull();
      expect(machine.core.fault).toMatchObject({ check, macWouldFire, tdBitWouldFire: tdBit, storedKeyId: TME });
    },
  );

  it('[S0-08] with both off the line is silently corrupted', () => {
    const machine = overwritten({ tdBit: false, integrity: 'none' });
    const read = machine.load(0, HOME0, PRIVATE);
    expect(read).not.toBeNull();
    expect(read).not.toEqual(PLAIN);
  });

  it('[S0-08] without the eviction nothing fires in any of the four', () => {
    for (const tdBit of [true, false]) {
      for (const integrity of ['Ci', 'none'] as const) {
        const machine = keyed(engine, { tdBit, integrity });
        machine.store(1, HOME0, TME, bytesOf(3));
        machine.put(HOME0, PRIVATE, PLAIN);
        expect(machine.load(0, HOME0, PRIVATE)).toEqual(PLAIN);
      }
    }
  });

  it('[S0-09] Li stores no MAC and still catches the overwrite by the TD bit; Ci stores one', () => {
    const logical = keyed(engine, LI);
    logical.put(HOME0, PRIVATE, PLAIN);
    expect(logical.core.capture(HOME0).mac).toBeNull();
    expect(logical.load(0, HOME0, PRIVATE)).toEqual(PLAIN);
    const hit = overwritten(LI);
    expect(hit.load(0, HOME0, PRIVATE)).toBeNull();
    expect(hit.core.fault).toMatchObject({ check: 'td-bit', macWouldFire: null });
    const cryptographic = keyed(engine, CI);
    cryptographic.put(HOME0, PRIVATE, PLAIN);
    expect(cryptographic.core.capture(HOME0).mac).toEqual(expect.any(Number));
  });
}

export function describeReadTable(engine: Engine): void {
  describe('reads at the memory controller', () => describeRows(engine));
  describe('TD bit and MAC', () => {
    describeKeyId0(engine);
    describeTdBitFirst(engine);
    describeFirstCheck(engine);
    describeKeyGuessing(engine);
  });
}
