/** docs/memory-law.md, "Attackers": what somebody with a soldering iron gets, and what is detected. */

import { describe, expect, it } from 'vitest';
import type { CoreConfig } from '../../../bindings/memory-core.ts';
import { bytesOf, type Engine, expectBinomial, HOME0, keyed, LINE, PRIVATE, randomStream, TME } from './engine.ts';

const CI: Partial<CoreConfig> = { integrity: 'Ci', sharedIntegrity: true };
const OLD = bytesOf(1);
const NEW = bytesOf(2);

function describeReplay(engine: Engine): void {
  it('[SX-17] replay of a whole old line is accepted: the TD reads old data, no poison', () => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, PRIVATE, OLD);
    const old = machine.core.capture(HOME0);
    machine.put(HOME0, PRIVATE, NEW);
    const fresh = machine.core.capture(HOME0);
    expect(fresh).not.toEqual(old);
    machine.core.replay(HOME0, old);
    expect(machine.core.inspect(HOME0)).toMatchObject({ tampered: true, poison: false, keyId: PRIVATE });
    expect(machine.load(0, HOME0, PRIVATE)).toEqual(OLD);
    // The old data under the new MAC is not accepted.
    machine.core.clflush(HOME0, 1, PRIVATE);
    machine.core.replay(HOME0, { ...old, mac: fresh.mac });
    expect(machine.load(0, HOME0, PRIVATE)).toBeNull();
  });

  it('replay of an untouched capture changes nothing for any reader', () => {
    for (const keyId of [TME, PRIVATE]) {
      const machine = keyed(engine, CI);
      machine.put(HOME0, keyId, OLD);
      const own = machine.core.capture(HOME0);
      machine.core.replay(HOME0, own);
      expect(machine.core.capture(HOME0)).toEqual({ ...own, mac: own.mac ?? 0 });
      expect(machine.load(0, HOME0, keyId)).toEqual(OLD);
    }
  });

  it('a splice to another address breaks the MAC; in Li it reads as garbage', () => {
    for (const integrity of ['Ci', 'Li'] as const) {
      const machine = keyed(engine, { integrity });
      machine.put(HOME0, PRIVATE, OLD);
      machine.put(HOME0 + LINE, PRIVATE, NEW);
      const spliced = machine.core.capture(HOME0);
      machine.core.replay(HOME0 + LINE, spliced);
      const garbage = machine.keyOf(PRIVATE).decrypt(HOME0 / LINE + 1, spliced.ciphertext);
      expect(machine.load(0, HOME0 + LINE, PRIVATE)).toEqual(integrity === 'Li' ? garbage : null);
      expect(machine.load(0, HOME0, PRIVATE)).toEqual(OLD);
    }
  });

  it('the attackers see DRAM only, not the dirty line above it', () => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, TME, OLD);
    machine.store(0, HOME0, TME, NEW);
    expect(machine.core.capture(HOME0).ciphertext).toEqual(machine.keyOf(TME).encrypt(HOME0 / LINE, OLD));
    machine.core.flip(HOME0, 'data', 9);
    expect(machine.load(0, HOME0, TME)).toEqual(NEW);
    machine.core.wbinvd(0);
    expect(machine.core.inspect(HOME0)).toMatchObject({ tampered: false });
  });

  it('a flip shows in the capture: one bit, and the MAC as it is stored', () => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, TME, OLD);
    const before = machine.core.capture(HOME0);
    machine.core.flip(HOME0, 'data', 511);
    before.ciphertext[63] ^= 0x80;
    expect(machine.core.capture(HOME0)).toEqual({ ...before, mac: 0 });
    machine.core.flip(HOME0, 'mac', 3);
    expect(machine.core.capture(HOME0).mac).toBe(8);
  });
}

function describeFlips(engine: Engine): void {
  it.each([
    { what: 'data', check: 'mac', macWouldFire: true },
    { what: 'mac', check: 'mac', macWouldFire: true },
    { what: 'td-bit', check: 'td-bit', macWouldFire: true },
    { what: 'poison', check: 'poison', macWouldFire: null },
  ] as const)(
    '[SX-18] a flip in $what is a machine check by $check; flipped back it is none',
    ({ what, check, macWouldFire }) => {
      const machine = keyed(engine, CI);
      machine.put(HOME0, PRIVATE, OLD);
      machine.core.flip(HOME0, what);
      machine.core.flip(HOME0, what);
      expect(machine.load(0, HOME0, PRIVATE)).toEqual(OLD);
      machine.core.clflush(HOME0, 1, PRIVATE);
      machine.core.flip(HOME0, what);
      expect(machine.load(0, HOME0, PRIVATE)).toBeNull();
      expect(machine.core.fault).toMatchObject({ pa: HOME0, check, macWouldFire });
    },
  );

  it('[SX-18] a 4-bit MAC silently accepts about one flipped line in 16', () => {
    const machine = keyed(engine, { ...CI, macBits: 4 });
    const random = randomStream(18);
    const lines = 4000;
    let accepted = 0;
    for (let i = 0; i < lines; ++i) {
      const pa = HOME0 + i * LINE;
      machine.put(pa, PRIVATE, bytesOf(i));
      machine.core.flip(pa, 'data', random() % 512);
      if (machine.core.load(0, pa, LINE, PRIVATE) === 0) accepted += 1;
    }
    expectBinomial(accepted, lines, 2 ** -4);
  });

  it.each([
    { macBits: 4, lines: 2000 },
    { macBits: 8, lines: 8000 },
  ])('[S0-10] random forgeries pass a $macBits-bit MAC at a rate of 2^-$macBits', ({ macBits, lines }) => {
    const machine = keyed(engine, { ...CI, macBits });
    const random = randomStream(macBits);
    let accepted = 0;
    for (let i = 0; i < lines; ++i) {
      const pa = HOME0 + i * LINE;
      const ciphertext = Uint8Array.from({ length: LINE }, () => random() & 0xff);
      machine.core.replay(pa, { ciphertext, mac: random() % 2 ** macBits, tdBit: true, poison: false });
      if (machine.core.load(0, pa, LINE, PRIVATE) === 0) accepted += 1;
    }
    expectBinomial(accepted, lines, 2 ** -macBits);
  });

  it('[S0-10] none of them passes 28 bits', () => {
    const machine = keyed(engine, CI);
    const random = randomStream(28);
    for (let i = 0; i < 500; ++i) {
      const ciphertext = Uint8Array.from({ length: LINE }, () => random() & 0xff);
      machine.core.replay(HOME0 + i * LINE, { ciphertext, mac: random() % 2 ** 28, tdBit: true, poison: false });
      expect(machine.core.load(0, HOME0 + i * LINE, LINE, PRIVATE)).toBe(1);
    }
  });
}

export function describeAttackers(engine: Engine): void {
  describe('replay and splice', () => describeReplay(engine));
  describe('flipped bits', () => describeFlips(engine));
}
