/** What the core keeps beside single lines (MACs, origins of poison), and that it forgets it with them. */
import { describe, expect, it } from 'vitest';
import { createCore, type MemoryCore } from '../../bindings/index.ts';
import { lineMac, macKey } from '../oracle/line-crypto.ts';
import { ENGINES, hex } from './both.ts';
import { bytesOf, CONFIG, LINE, Machine, PRIVATE, PRIVATE2, TME } from './shared/engine.ts';

const PAGE = 4096;

describe.each(ENGINES)('what lies beside a line: $name', (engine) => {
  it('no MAC under a KeyID without integrity, until somebody tampers: then the 0 that was stored', () => {
    const machine = new Machine(engine).programAll();
    machine.put(0, TME, bytesOf(1));
    expect(machine.core.capture(0).mac).toBeNull();
    machine.core.flip(0, 'data', 0);
    expect(machine.core.capture(0).mac).toBe(0);
    machine.core.flip(0, 'mac', 2);
    expect(machine.core.capture(0).mac).toBe(4);
  });

  it('plaintext has a MAC with T0 = 0', () => {
    const machine = new Machine(engine).programAll();
    machine.core.programKey(0, PRIVATE, 'no-encrypt');
    machine.put(0, PRIVATE, bytesOf(3));
    const { ciphertext, mac } = machine.core.capture(0);
    expect(hex(ciphertext)).toBe(hex(bytesOf(3)));
    const full = lineMac(bytesOf(3), new Uint8Array(16), true, macKey(CONFIG.seed));
    expect(mac).toBe((full & (2 ** 28 - 1)) >>> 0);
  });

  it('poison that was flipped away and back has an unknown origin', () => {
    const machine = new Machine(engine).programAll();
    machine.put(0, PRIVATE, bytesOf(1));
    machine.core.setEvent(5);
    expect(machine.load(0, 0, PRIVATE2)).toBeNull();
    expect(machine.core.fault).toMatchObject({ check: 'mac', poisonedBy: 5 });
    machine.core.clflush(0, 1, PRIVATE2);
    for (let i = 0; i < 2; i++) machine.core.flip(0, 'poison');
    expect(machine.dma(0, TME)).toBeNull();
    expect(machine.core.fault).toMatchObject({ check: 'poison', poisonedBy: 0 });
  });
});

describe('what is remembered of single lines is forgotten with them', () => {
  const LINES = 4096;
  const knobs = { ...CONFIG, cacheSets: 0, provenance: false };
  /** Bytes in use after two rounds are those after one. */
  function staysFlat(core: MemoryCore, round: () => void): void {
    round();
    const once = core.memoryUsed();
    for (let i = 0; i < 3; i++) round();
    expect(core.memoryUsed() - once).toBeLessThan(8192);
  }
  /** Others than in the round before, so that what was left over would add up. */
  function everyLine(act: (pa: number) => void, end: (first: number) => void): () => void {
    let first = 0;
    return () => {
      for (let line = 0; line < LINES; line++) act(first + line * LINE);
      end(first);
      first += LINES * LINE;
    };
  }
  /** Each page is one pattern again. */
  const refill = (core: MemoryCore) => (first: number) => {
    for (let line = 0; line < LINES; line += 64) core.movdir64bFill(0, first + line * LINE, 64, TME, 0n);
  };

  it('MACs that were tampered with, once the line is written', () => {
    const core = createCore(knobs);
    staysFlat(
      core,
      everyLine((pa) => {
        core.movdir64b(0, pa, PRIVATE);
        core.flip(pa, 'mac', 1);
        core.movdir64bFill(0, pa, 1, TME, 0n);
      }, refill(core)),
    );
  });

  it('the origin of poison, in DRAM and in a cache', () => {
    const core = createCore(knobs);
    core.programKey(0, PRIVATE, 'random');
    staysFlat(
      core,
      everyLine((pa) => {
        core.movdir64bFill(0, pa, 1, PRIVATE, 1n);
        expect(core.load(0, pa, 8, PRIVATE2)).toBe(1);
        core.clflush(pa, 1, PRIVATE2);
        core.movdir64bFill(0, pa, 1, TME, 0n);
      }, refill(core)),
    );
  });

  it.each(['lazy', 'eager'] as const)('both, with a cold reset: %s', (crypto) => {
    const core = createCore({ ...knobs, crypto });
    const lines = everyLine(
      (pa) => {
        core.movdir64b(0, pa, PRIVATE);
        // Pages of one tag and pages of two, each with either kind of record.
        const isMixed = pa % (4 * PAGE) >= 2 * PAGE && pa % (2 * LINE) === 0;
        if (!isMixed && pa % (2 * PAGE) < PAGE) core.flip(pa, 'mac', 1);
        else core.load(0, pa, 8, isMixed ? PRIVATE : PRIVATE2);
      },
      () => core.coldReset(),
    );
    staysFlat(core, () => {
      core.programKey(0, PRIVATE, 'random');
      lines();
    });
  });
});
