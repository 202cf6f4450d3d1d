/** docs/memory-law.md, "Keys and MAC" and "Which KeyID has integrity". */

import { describe, expect, it } from 'vitest';
import type { CoreConfig } from '../../../bindings/memory-core.ts';
import { lineMac, macKey, streamKey, XtsKey } from '../../oracle/line-crypto.ts';
import {
  bytesOf,
  CONFIG,
  directKey,
  type Engine,
  HOME0,
  HOME1,
  keyed,
  LINE,
  Machine,
  PRIVATE,
  PRIVATE2,
  SHARED,
  SHARED2,
  TME,
  TOP_KEYID,
  ZEROS,
} from './engine.ts';

const CI: Partial<CoreConfig> = { integrity: 'Ci', sharedIntegrity: true };
const PLAIN = bytesOf(1);

function stream(pkg: number, keyId: number, generation: number, aesBits: 128 | 256 = 128): XtsKey {
  const [data, tweak] = streamKey(CONFIG.seed, pkg, keyId, generation, aesBits);
  return new XtsKey(data, tweak);
}

function describePowerOn(engine: Engine): void {
  it('DRAM starts as zeros under KeyID 0 generation 0 of its home', () => {
    const machine = new Machine(engine);
    for (const [pkg, pa] of [HOME0, HOME1].entries()) {
      const ciphertext = stream(pkg, TME, 0).encrypt(pa / LINE, ZEROS);
      expect(machine.core.capture(pa)).toEqual({ ciphertext, mac: null, tdBit: false, poison: false });
      expect(machine.core.inspect(pa)).toMatchObject({ keyId: TME, generation: 0, homePackage: pkg, writer: 0, tampered: false });
      expect(machine.load(0, pa, TME)).toEqual(ZEROS);
    }
  });

  it('memory outside every home range belongs to package 0', () => {
    expect(new Machine(engine).core.inspect(5 * 2 ** 30)).toMatchObject({ homePackage: 0 });
  });

  it.each([128, 256] as const)('random keys come from the stream of (home package, KeyID, generation): AES-%i', (aesBits) => {
    const machine = new Machine(engine, { aesBits });
    for (const generation of [1, 2]) {
      for (const [pkg, pa] of [HOME0, HOME1].entries()) {
        machine.core.programKey(pkg, PRIVATE, 'random');
        machine.put(pa, PRIVATE, PLAIN);
        expect(machine.core.capture(pa).ciphertext).toEqual(stream(pkg, PRIVATE, generation, aesBits).encrypt(pa / LINE, PLAIN));
        expect(machine.core.inspect(pa)).toMatchObject({ keyId: PRIVATE, generation });
      }
    }
  });

  it.each([128, 256] as const)('direct keys are data key, then tweak key: AES-%i', (aesBits) => {
    const machine = keyed(engine, { aesBits });
    machine.put(HOME0, SHARED, PLAIN);
    expect(machine.core.capture(HOME0).ciphertext).toEqual(machine.keyOf(SHARED).encrypt(HOME0 / LINE, PLAIN));
    expect(machine.load(0, HOME0, SHARED)).toEqual(PLAIN);
  });
}

function describePrograms(engine: Engine): void {
  it('re-keying turns the old lines into garbage, or into poison where there is a MAC', () => {
    for (const [integrity, reads] of [
      ['Li', 'garbage'],
      ['Ci', null],
    ] as const) {
      const machine = new Machine(engine, { integrity });
      machine.core.programKey(0, PRIVATE, 'random');
      machine.put(HOME0, PRIVATE, PLAIN);
      expect(machine.load(0, HOME0, PRIVATE)).toEqual(PLAIN);
      machine.core.clflush(HOME0, 1, PRIVATE);
      machine.core.programKey(0, PRIVATE, 'random');
      const { ciphertext } = machine.core.capture(HOME0);
      const garbage = stream(0, PRIVATE, 2).decrypt(HOME0 / LINE, ciphertext);
      expect(machine.load(0, HOME0, PRIVATE)).toEqual(reads && garbage);
    }
  });

  it('a key counts on the home package alone, whoever accesses the line', () => {
    const machine = new Machine(engine);
    machine.core.programKey(1, PRIVATE, 'random');
    machine.put(HOME0, PRIVATE, PLAIN);
    expect(machine.core.capture(HOME0).ciphertext).toEqual(stream(0, TME, 0).encrypt(HOME0 / LINE, PLAIN));
    machine.put(HOME1, PRIVATE, PLAIN);
    expect(machine.core.capture(HOME1).ciphertext).toEqual(stream(1, PRIVATE, 1).encrypt(HOME1 / LINE, PLAIN));
  });

  it('two keys with equal bytes are the same key', () => {
    const machine = keyed(engine, CI);
    machine.programDirect(PRIVATE2, directKey(PRIVATE, 128));
    machine.put(HOME0, PRIVATE, PLAIN);
    expect(machine.load(0, HOME0, PRIVATE2)).toEqual(PLAIN);
    machine.put(HOME0, PRIVATE, PLAIN);
    expect(machine.load(0, HOME0, PRIVATE2 + 1)).toBeNull();
  });

  it('programming the same bytes again leaves old lines readable, under a new generation', () => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, PRIVATE, PLAIN);
    machine.programDirect(PRIVATE, directKey(PRIVATE, 128));
    expect(machine.load(0, HOME0, PRIVATE)).toEqual(PLAIN);
    machine.put(HOME0 + LINE, PRIVATE, PLAIN);
    expect([HOME0, HOME0 + LINE].map((pa) => machine.core.inspect(pa).generation)).toEqual([1, 2]);
  });

  it('clear makes a KeyID unprogrammed again: it uses the key of KeyID 0', () => {
    const machine = keyed(engine, { sharedIntegrity: false });
    machine.core.programKey(0, SHARED, 'clear');
    machine.put(HOME0, SHARED, PLAIN);
    expect(machine.load(0, HOME0, TME)).toEqual(PLAIN);
    expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: SHARED, generation: 2 });
  });

  it('no-encrypt stores plaintext', () => {
    const machine = keyed(engine, CI);
    machine.core.programKey(0, SHARED, 'no-encrypt');
    machine.put(HOME0, SHARED, PLAIN);
    expect(machine.core.capture(HOME0).ciphertext).toEqual(PLAIN);
    expect(machine.load(0, HOME0, SHARED)).toEqual(PLAIN);
    expect(machine.load(0, HOME0, TME)).toEqual(machine.keyOf(TME).decrypt(HOME0 / LINE, PLAIN));
  });

  it('a cached line is encrypted under the key of the time of its write-back', () => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, PRIVATE, bytesOf(2));
    machine.store(0, HOME0, PRIVATE, PLAIN);
    machine.core.programKey(0, PRIVATE, 'random');
    machine.core.wbinvd(0);
    expect(machine.core.inspect(HOME0)).toMatchObject({ generation: 2 });
    expect(machine.load(0, HOME0, PRIVATE)).toEqual(PLAIN);
  });
}

function describeUnprogrammed(engine: Engine): void {
  it('tme: an unprogrammed KeyID behaves like the key of KeyID 0 on that package', () => {
    const machine = new Machine(engine, { sharedIntegrity: false });
    machine.put(HOME1, SHARED, PLAIN);
    expect(machine.load(0, HOME1, TME)).toEqual(PLAIN);
    expect(machine.load(0, HOME1, SHARED2)).toEqual(PLAIN);
  });

  it('fault: every controller read through it makes poison, every controller write leaves poisoned zeros', () => {
    const machine = new Machine(engine, { unprogrammedKey: 'fault' });
    machine.put(HOME0, TME, PLAIN);
    machine.core.setEvent(5);
    expect(machine.load(0, HOME0, SHARED)).toBeNull();
    expect(machine.core.fault).toMatchObject({ check: 'unprogrammed-key', keyId: SHARED, poisonedBy: 5, storedKeyId: TME });
    machine.put(HOME0, TME, PLAIN);
    expect(machine.load(0, HOME0, TME)).toEqual(PLAIN);
    machine.put(HOME0, PRIVATE, PLAIN);
    expect(machine.core.inspect(HOME0)).toMatchObject({ keyId: PRIVATE, tdBit: true, poison: true });
    machine.core.programKey(0, PRIVATE, 'random');
    machine.put(HOME0, PRIVATE, PLAIN);
    expect(machine.load(0, HOME0, PRIVATE)).toEqual(PLAIN);
  });

  it('fault: programmed on one package is not programmed on the other', () => {
    const machine = new Machine(engine, { unprogrammedKey: 'fault' });
    machine.core.programKey(0, PRIVATE, 'random');
    for (const [pa, poison] of [
      [HOME0, false],
      [HOME1, true],
    ] as const) {
      machine.put(pa, PRIVATE, PLAIN);
      expect(machine.core.inspect(pa).poison).toBe(poison);
    }
  });
}

function describeMac(engine: Engine): void {
  it.each([28, 8, 4])('the MAC is SHA3-256 over ciphertext, T0, TD bit and MAC key, %i bits wide', (macBits) => {
    const machine = keyed(engine, { ...CI, macBits });
    for (const keyId of [SHARED, PRIVATE]) {
      machine.put(HOME0, keyId, PLAIN);
      const { ciphertext, mac } = machine.core.capture(HOME0);
      const full = lineMac(ciphertext, machine.keyOf(keyId).tweak(HOME0 / LINE), keyId === PRIVATE, macKey(CONFIG.seed));
      expect(mac).toBe(full & (2 ** macBits - 1));
    }
  });

  it('with the TD bit off the MAC takes 0 for it, and writes store 0', () => {
    const machine = keyed(engine, { ...CI, tdBit: false });
    machine.put(HOME0, PRIVATE, PLAIN);
    const { ciphertext, mac, tdBit } = machine.core.capture(HOME0);
    const full = lineMac(ciphertext, machine.keyOf(PRIVATE).tweak(HOME0 / LINE), false, macKey(CONFIG.seed));
    expect({ mac, tdBit }).toEqual({ mac: full & (2 ** 28 - 1), tdBit: false });
  });

  it.each([
    { integrity: 'Ci', sharedIntegrity: true, keyIds: [SHARED, PRIVATE] },
    { integrity: 'Ci', sharedIntegrity: false, keyIds: [PRIVATE] },
    { integrity: 'Li', sharedIntegrity: true, keyIds: [] },
    { integrity: 'none', sharedIntegrity: true, keyIds: [] },
  ] as const)(
    '$integrity, sharedIntegrity $sharedIntegrity: KeyIDs $keyIds have integrity',
    ({ integrity, sharedIntegrity, keyIds }) => {
      const machine = keyed(engine, { integrity, sharedIntegrity });
      const withMac = [TME, SHARED, PRIVATE].filter((keyId) => {
        machine.put(HOME0, keyId, PLAIN);
        return machine.core.capture(HOME0).mac !== null;
      });
      expect(withMac).toEqual(keyIds);
    },
  );

  it('KeyIDs above the shared ones are private, up to the last', () => {
    const machine = keyed(engine, CI);
    for (const [keyId, tdBit] of [
      [7, false],
      [8, true],
      [TOP_KEYID, true],
    ] as const) {
      machine.put(HOME0, keyId, PLAIN);
      expect(machine.core.capture(HOME0).tdBit).toBe(tdBit);
    }
  });
}

function describeResets(engine: Engine): void {
  const busy = (): Machine => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, PRIVATE, PLAIN);
    machine.store(1, HOME0 + LINE, TME, PLAIN);
    machine.core.flip(HOME0 + 2 * LINE, 'poison');
    return machine;
  };

  it('cold reset: zeros under KeyID 0, no poison, empty caches, keys as at power-on', () => {
    const machine = busy();
    machine.core.coldReset();
    for (const pa of [HOME0, HOME0 + LINE, HOME0 + 2 * LINE]) {
      expect(machine.core.inspect(pa)).toMatchObject({ keyId: TME, generation: 0, tdBit: false, poison: false, writer: 0 });
      expect(machine.holders(pa)).toEqual([]);
      expect(machine.load(0, pa, TME)).toEqual(ZEROS);
    }
    machine.put(HOME0, SHARED, PLAIN);
    expect(machine.core.capture(HOME0).ciphertext).toEqual(stream(0, TME, 0).encrypt(HOME0 / LINE, PLAIN));
  });

  it('warm reset: caches written back and emptied, TD bits and poison stay, keys as at power-on', () => {
    const machine = busy();
    const before = machine.core.capture(HOME0);
    machine.core.warmReset();
    expect(machine.holders(HOME0 + LINE)).toEqual([]);
    expect(machine.load(0, HOME0 + LINE, TME)).toEqual(PLAIN);
    expect(machine.core.capture(HOME0)).toEqual(before);
    expect(machine.core.inspect(HOME0 + 2 * LINE).poison).toBe(true);
    expect(machine.load(0, HOME0, PRIVATE)).toBeNull();
  });
}

export function describeKeys(engine: Engine): void {
  describe('power-on and the key stream', () => describePowerOn(engine));
  describe('programming keys', () => describePrograms(engine));
  describe('unprogrammed KeyIDs', () => describeUnprogrammed(engine));
  describe('the MAC', () => describeMac(engine));
  describe('resets', () => describeResets(engine));
}
