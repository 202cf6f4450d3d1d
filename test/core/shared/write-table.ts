/** DESIGN.md §3, the table of writes, row by row. */

import { describe, expect, it } from 'vitest';
import type { CoreConfig, DirectStore } from '../../../bindings/memory-core.ts';
import { bytesOf, type Engine, HOME0, keyed, LINE, type Machine, PRIVATE, SHARED, SHARED2, TME, ZEROS } from './engine.ts';

const CI: Partial<CoreConfig> = { integrity: 'Ci', sharedIntegrity: true };
const OLD = bytesOf(1);
const NEW = bytesOf(2);
const DIRECT: DirectStore[] = ['nt-store', 'uc-store', 'dma'];
const PARTIAL = { offset: 12, bytes: Uint8Array.of(0xa1, 0xa2, 0xa3, 0xa4) };

function merged(over: Uint8Array): Uint8Array {
  const bytes = over.slice();
  bytes.set(PARTIAL.bytes, PARTIAL.offset);
  return bytes;
}

type State = 'private' | 'shared' | 'KeyID 0' | 'poisoned';
const STATES: State[] = ['private', 'shared', 'KeyID 0', 'poisoned'];

function lineIn(engine: Engine, state: State, knobs: Partial<CoreConfig> = CI): Machine {
  const machine = keyed(engine, knobs);
  machine.put(HOME0, { private: PRIVATE, shared: SHARED, 'KeyID 0': TME, poisoned: PRIVATE }[state], OLD);
  if (state === 'poisoned') machine.core.flip(HOME0, 'poison');
  return machine;
}

/** The ways in which all 64 bytes reach the controller; each returns the write alone, ready to be counted. */
const FULL_WRITES: Record<string, (machine: Machine, keyId: number) => () => void> = {
  movdir64b: (machine, keyId) => () => machine.put(HOME0, keyId, NEW),
  'movdir64b fill': (machine, keyId) => () => machine.core.movdir64bFill(0, HOME0, 1, keyId, 0x0706050403020100n),
  'movdir64b copy': (machine, keyId) => {
    machine.store(0, HOME0 + 4096, TME, NEW);
    return () => machine.core.movdir64bCopy(0, HOME0, keyId, HOME0 + 4096, TME, 1);
  },
  ...Object.fromEntries(
    DIRECT.map((kind) => [`64-byte ${kind}`, (m: Machine, keyId: number) => () => void m.direct(kind, HOME0, keyId, NEW)]),
  ),
};

function describeFullWrites(engine: Engine): void {
  const writes = Object.entries(FULL_WRITES).flatMap(([name, prepare]) => STATES.map((state) => ({ name, state, prepare })));
  it.each(writes)(
    '$name over a $state line: new data, TD bit and MAC of the writer, no poison, nothing checked',
    ({ state, prepare }) => {
      for (const keyId of [TME, SHARED, SHARED2, PRIVATE]) {
        const machine = lineIn(engine, state);
        const write = prepare(machine, keyId);
        const counted = machine.counted(write);
        expect(counted).toMatchObject({ tdBitChecks: 0, macChecks: 0, controllerReads: 0, poisonCreated: 0 });
        const { tdBit, poison, mac } = machine.core.capture(HOME0);
        expect({ tdBit, poison }).toEqual({ tdBit: keyId === PRIVATE, poison: false });
        expect(mac === null).toBe(keyId === TME);
        expect(machine.core.inspect(HOME0)).toMatchObject({ keyId, homePackage: 0, tampered: false });
        const data = machine.load(0, HOME0, keyId);
        expect(data).not.toBeNull();
        expect(data).not.toEqual(OLD);
      }
    },
  );

  it.each([TME, SHARED, PRIVATE])('write-back of an unpoisoned cached line cures the line: KeyID %i', (keyId) => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, keyId, OLD);
    machine.store(0, HOME0, keyId, NEW);
    machine.core.flip(HOME0, 'poison');
    const counted = machine.counted(() => expect(machine.core.evict(0, HOME0, keyId)).toBe(true));
    expect(counted).toMatchObject({ tdBitChecks: 0, macChecks: 0 });
    expect(machine.core.inspect(HOME0)).toMatchObject({ keyId, tdBit: keyId === PRIVATE, poison: false });
    expect(machine.load(0, HOME0, keyId)).toEqual(NEW);
  });

  it('write-back of a cached line that holds poison: new data and TD bit, but poison stays', () => {
    const machine = lineIn(engine, 'poisoned');
    machine.store(0, HOME0, SHARED, NEW);
    machine.core.clflush(HOME0, 1, SHARED);
    expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: SHARED, tdBit: false, poison: true });
    expect(machine.core.capture(HOME0).ciphertext).toEqual(machine.keyOf(SHARED).encrypt(HOME0 / LINE, NEW));
    expect(machine.load(0, HOME0, SHARED)).toBeNull();
    // The same store over a sound line: readable.
    const sound = lineIn(engine, 'shared');
    sound.store(0, HOME0, SHARED, NEW);
    sound.core.clflush(HOME0, 1, SHARED);
    expect(sound.load(0, HOME0, SHARED)).toEqual(NEW);
  });
}

function describeTdBit(engine: Engine): void {
  it('[S0-02] write-back of a dirty KeyID-0 line over a private line: KeyID 0, TD bit 0, no MAC', () => {
    const machine = keyed(engine, CI);
    machine.core.setEvent(41);
    machine.store(1, HOME0, TME, NEW);
    machine.core.setEvent(42);
    machine.put(HOME0, PRIVATE, OLD);
    expect(machine.core.capture(HOME0)).toMatchObject({ tdBit: true, mac: expect.any(Number) });
    expect(machine.load(0, HOME0, PRIVATE)).toEqual(OLD);
    machine.core.clflush(HOME0, 1, PRIVATE);
    machine.core.evict(1, HOME0, TME);
    expect(machine.core.capture(HOME0)).toMatchObject({ tdBit: false, mac: null });
    expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: TME, writer: 41 });
    expect(machine.load(0, HOME0, TME)).toEqual(NEW);
  });

  it('[S0-03] the private reader then makes poison and consumes it, with address and both KeyIDs', () => {
    const machine = keyed(engine, CI);
    machine.store(1, HOME0, TME, NEW);
    machine.put(HOME0, PRIVATE, OLD);
    expect(machine.load(0, HOME0, PRIVATE)).toEqual(OLD);
    machine.core.clflush(HOME0, 1, PRIVATE);
    machine.core.evict(1, HOME0, TME);
    expect(machine.counted(() => machine.core.speculate(0, HOME0, PRIVATE))).toMatchObject({
      tdBitMismatches: 1,
      poisonCreated: 1,
    });
    expect(machine.core.inspect(HOME0).poison).toBe(true);
    expect(machine.counted(() => machine.load(0, HOME0, PRIVATE))).toMatchObject({ poisonConsumed: 1 });
    expect(machine.core.fault).toMatchObject({ pa: HOME0, keyId: PRIVATE, storedKeyId: TME, storedTdBit: false });
  });

  it.each([
    { by: 'KeyID 0', keyId: TME, tdBit: false },
    { by: 'a shared KeyID', keyId: SHARED, tdBit: false },
    { by: 'a private KeyID', keyId: PRIVATE, tdBit: true },
  ])('[S0-05] the TD bit says whether $by wrote last', ({ keyId, tdBit }) => {
    for (const state of STATES) {
      const machine = lineIn(engine, state);
      machine.put(HOME0, keyId, NEW);
      expect(machine.core.inspect(HOME0).tdBit).toBe(tdBit);
      machine.store(0, HOME0 + LINE, keyId, NEW);
      machine.core.wbinvd(0);
      expect(machine.core.capture(HOME0 + LINE).tdBit).toBe(tdBit);
    }
  });

  it('[S0-46] any full-line write of the host turns a private line back into KeyID 0; a partial one does not', () => {
    for (const prepare of Object.values(FULL_WRITES)) {
      const machine = lineIn(engine, 'private');
      prepare(machine, TME)();
      expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: TME, tdBit: false, poison: false });
    }
    const partial = lineIn(engine, 'private');
    partial.direct('nt-store', HOME0, TME, PARTIAL.bytes);
    expect(partial.core.inspect(HOME0)).toMatchObject({ keyId: PRIVATE, tdBit: true, poison: true });
  });
}

function describeErratum(engine: Engine): void {
  it.each(DIRECT)(
    '[S4-01] [S4-02] a partial %s of the host poisons a private line silently; the next read consumes it',
    (kind) => {
      const machine = lineIn(engine, 'private');
      const before = machine.core.capture(HOME0);
      machine.core.setEvent(7);
      const counted = machine.counted(() => expect(machine.direct(kind, HOME0 + PARTIAL.offset, TME, PARTIAL.bytes)).toBe(0));
      expect(counted).toMatchObject({ poisonSilent: 1, poisonCreated: 0, poisonConsumed: 0 });
      expect(machine.core.capture(HOME0)).toEqual({ ...before, poison: true });
      expect(machine.load(0, HOME0, PRIVATE)).toBeNull();
      expect(machine.core.fault).toMatchObject({ pa: HOME0, check: 'partial-write', poisonedBy: 7 });
    },
  );

  it('[S4-01] the same write to a line that is not private poisons nothing', () => {
    for (const kind of DIRECT) {
      const machine = lineIn(engine, 'KeyID 0');
      machine.direct(kind, HOME0 + PARTIAL.offset, TME, PARTIAL.bytes);
      expect(machine.load(0, HOME0, TME)).toEqual(merged(OLD));
    }
  });

  it.each(DIRECT)('[S4-03] without the erratum a partial %s merges over zeros, clears the TD bit and poisons nothing', (kind) => {
    const machine = lineIn(engine, 'private', { ...CI, partialWriteErratum: false });
    machine.direct(kind, HOME0 + PARTIAL.offset, TME, PARTIAL.bytes);
    expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: TME, tdBit: false, poison: false });
    expect(machine.load(0, HOME0, TME)).toEqual(merged(ZEROS));
    const erratum = lineIn(engine, 'private');
    erratum.direct(kind, HOME0 + PARTIAL.offset, TME, PARTIAL.bytes);
    expect(erratum.load(0, HOME0, TME)).toBeNull();
  });

  it('without the erratum: poison stays, and the MAC is that of the writing KeyID', () => {
    const machine = lineIn(engine, 'poisoned', { ...CI, partialWriteErratum: false });
    machine.direct('nt-store', HOME0 + PARTIAL.offset, SHARED, PARTIAL.bytes);
    expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: SHARED, tdBit: false, poison: true });
    machine.core.flip(HOME0, 'poison');
    expect(machine.load(0, HOME0, SHARED)).toEqual(merged(ZEROS));
  });

  it('[S4-04] an ordinary store of one byte writes the full line back: no poison, TD bit clear, the rest is the fixed pattern', () => {
    const machine = lineIn(engine, 'private');
    machine.store(0, HOME0 + 3, TME, Uint8Array.of(0x55));
    machine.core.wbinvd(0);
    expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: TME, tdBit: false, poison: false });
    const expected = ZEROS.slice();
    expected[3] = 0x55;
    expect(machine.load(0, HOME0, TME)).toEqual(expected);
    const direct = lineIn(engine, 'private');
    direct.direct('nt-store', HOME0 + 3, TME, Uint8Array.of(0x55));
    expect(direct.core.inspect(HOME0).poison).toBe(true);
  });

  it.each(DIRECT)('[S4-05] %s: partial poisons, a combined line of 64 bytes does not', (kind) => {
    const machine = lineIn(engine, 'private');
    machine.put(HOME0 + LINE, PRIVATE, OLD);
    machine.put(HOME0 + 2 * LINE, PRIVATE, OLD);
    machine.direct(kind, HOME0 + 32, TME, bytesOf(9, 128));
    const poison = [0, 1, 2].map((i) => machine.core.inspect(HOME0 + i * LINE).poison);
    expect(poison).toEqual([true, false, true]);
    expect(machine.load(0, HOME0 + LINE, TME)).toEqual(bytesOf(9, 128).subarray(32, 96));
  });

  it('[S4-07] a full-line write cures the line and converts it; a cached store does not', () => {
    for (const prepare of Object.values(FULL_WRITES)) {
      const machine = lineIn(engine, 'private');
      machine.direct('nt-store', HOME0, TME, PARTIAL.bytes);
      prepare(machine, TME)();
      expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: TME, tdBit: false, poison: false });
      expect(machine.load(0, HOME0, TME)).not.toBeNull();
    }
    const stored = lineIn(engine, 'private');
    stored.direct('nt-store', HOME0, TME, PARTIAL.bytes);
    stored.store(0, HOME0, TME, NEW);
    stored.core.wbinvd(0);
    expect(stored.load(0, HOME0, TME)).toBeNull();
  });
}

interface PartialRow {
  readonly row: string;
  readonly state: State;
  readonly keyId: number;
  readonly kind: DirectStore;
  readonly knobs?: Partial<CoreConfig>;
  readonly over: Uint8Array;
  readonly after: { keyId: number; tdBit: boolean; poison: boolean };
}

// biome-ignore format: a table
const OTHER_PARTIAL_WRITES: PartialRow[] = [
  { row: 'private over private', state: 'private', keyId: PRIVATE, kind: 'nt-store', over: OLD, after: { keyId: PRIVATE, tdBit: true, poison: false } },
  { row: 'private over KeyID 0 poisons', state: 'KeyID 0', keyId: PRIVATE, kind: 'uc-store', over: ZEROS, after: { keyId: PRIVATE, tdBit: true, poison: true } },
  { row: 'private over poison', state: 'poisoned', keyId: PRIVATE, kind: 'nt-store', over: ZEROS, after: { keyId: PRIVATE, tdBit: true, poison: true } },
  { row: 'KeyID 0 over KeyID 0', state: 'KeyID 0', keyId: TME, kind: 'dma', over: OLD, after: { keyId: TME, tdBit: false, poison: false } },
  { row: 'shared over shared', state: 'shared', keyId: SHARED, kind: 'nt-store', over: OLD, after: { keyId: SHARED, tdBit: false, poison: false } },
  { row: 'another shared key with integrity poisons', state: 'shared', keyId: SHARED2, kind: 'uc-store', over: ZEROS, after: { keyId: SHARED2, tdBit: false, poison: true } },
  { row: 'shared over private in Li: the erratum', state: 'private', keyId: SHARED, kind: 'nt-store', knobs: { integrity: 'Li' }, over: OLD, after: { keyId: PRIVATE, tdBit: true, poison: true } },
  { row: 'device with a private KeyID: the erratum', state: 'private', keyId: PRIVATE, kind: 'dma', over: OLD, after: { keyId: PRIVATE, tdBit: true, poison: true } },
];

function describePartialWrites(engine: Engine): void {
  it.each(OTHER_PARTIAL_WRITES)('$row ($kind)', ({ state, keyId, kind, knobs, over, after }) => {
    const machine = lineIn(engine, state, { ...CI, ...knobs });
    machine.direct(kind, HOME0 + PARTIAL.offset, keyId, PARTIAL.bytes);
    expect(machine.core.inspect(HOME0)).toMatchObject(after);
    if (after.poison) machine.core.flip(HOME0, 'poison');
    const erratum = after.keyId === PRIVATE && over === OLD && after.poison;
    expect(machine.load(0, HOME0, after.keyId)).toEqual(erratum ? OLD : merged(over));
  });

  it('another key without integrity: merged over exactly the AES-XTS garbage', () => {
    const machine = lineIn(engine, 'shared', { integrity: 'Li' });
    const garbage = machine.keyOf(SHARED2).decrypt(HOME0 / LINE, machine.core.capture(HOME0).ciphertext);
    machine.direct('nt-store', HOME0 + PARTIAL.offset, SHARED2, PARTIAL.bytes);
    expect(machine.load(0, HOME0, SHARED2)).toEqual(merged(garbage));
  });

  it('with the TD bit off there is no erratum: the line is read by its MAC', () => {
    const machine = lineIn(engine, 'private', { ...CI, tdBit: false });
    const garbage = machine.keyOf(TME).decrypt(HOME0 / LINE, machine.core.capture(HOME0).ciphertext);
    machine.direct('nt-store', HOME0 + PARTIAL.offset, TME, PARTIAL.bytes);
    expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: TME, tdBit: false, poison: false });
    expect(machine.load(0, HOME0, TME)).toEqual(merged(garbage));
  });

  it('a partial write first writes a dirty copy of its own tag back, then drops the tag', () => {
    const machine = lineIn(engine, 'shared');
    machine.store(1, HOME0, SHARED, NEW);
    machine.store(1, HOME0, TME, OLD);
    machine.direct('nt-store', HOME0 + PARTIAL.offset, SHARED, PARTIAL.bytes);
    expect(machine.holders(HOME0)).toEqual([`1/${TME}*`]);
    expect(machine.load(0, HOME0, SHARED)).toEqual(merged(NEW));
  });
}

export function describeWriteTable(engine: Engine): void {
  describe('full-line writes', () => describeFullWrites(engine));
  describe('the TD bit of writes', () => describeTdBit(engine));
  describe('partial writes and the erratum', () => describeErratum(engine));
  describe('any other partial write', () => describePartialWrites(engine));
}
