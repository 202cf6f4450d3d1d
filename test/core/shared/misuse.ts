/** bindings/memory-core.ts: out of range is a CoreMisuse before anything changed. */

import { describe, expect, it } from 'vitest';
import { type CoreConfig, CoreMisuse, MAILBOX_BYTES, type MemoryCore } from '../../../bindings/memory-core.ts';
import { CONFIG, type Engine, HOME0, keyed, LINE, TME, TOP_KEYID } from './engine.ts';

type Code = CoreMisuse['code'];
const END = 2 ** 52;

// biome-ignore format: a table
const CALLS: [string, Code, (core: MemoryCore) => unknown][] = [
  ['load above the last address', 'ADDRESS_RANGE', (c) => c.load(0, END - 4, 8, TME)],
  ['load below 0', 'ADDRESS_RANGE', (c) => c.load(0, -1, 8, TME)],
  ['load at a fraction', 'ADDRESS_RANGE', (c) => c.load(0, 0.5, 8, TME)],
  ['load at NaN', 'ADDRESS_RANGE', (c) => c.load(0, Number.NaN, 8, TME)],
  ['store above the last address', 'ADDRESS_RANGE', (c) => c.store(0, END, 8, TME)],
  ['load longer than the mailbox', 'LENGTH_RANGE', (c) => c.load(0, 0, MAILBOX_BYTES + 1, TME)],
  ['store of a negative length', 'LENGTH_RANGE', (c) => c.store(0, 0, -8, TME)],
  ['load with a KeyID above the last', 'KEYID_RANGE', (c) => c.load(0, 0, 8, TOP_KEYID + 1)],
  ['store with a negative KeyID', 'KEYID_RANGE', (c) => c.store(0, 0, 8, -1)],
  ['load by a package that is not there', 'PACKAGE_RANGE', (c) => c.load(2, 0, 8, TME)],
  ['wbinvd of a package that is not there', 'PACKAGE_RANGE', (c) => c.wbinvd(2)],
  ['evictSome of a package that is not there', 'PACKAGE_RANGE', (c) => c.evictSome(-1, 1)],
  ['movdir64b to an unaligned line', 'ALIGNMENT', (c) => c.movdir64b(0, HOME0 + 8, TME)],
  ['movdir64b fill over the end', 'ADDRESS_RANGE', (c) => c.movdir64bFill(0, END - LINE, 2, TME, 0n)],
  ['fill at an unaligned address', 'ALIGNMENT', (c) => c.fill(0, HOME0 + 4, 8, TME, 0n)],
  ['exchange64 at an unaligned address', 'ALIGNMENT', (c) => c.exchange64(0, HOME0 + 4, TME, 0n, 1n)],
  ['direct store above the last address', 'ADDRESS_RANGE', (c) => c.directStore('dma', 0, END - 4, 8, TME)],
  ['DMA read with a KeyID above the last', 'KEYID_RANGE', (c) => c.dmaRead(0, 8, TOP_KEYID + 1)],
  ['clflush above the last address', 'ADDRESS_RANGE', (c) => c.clflush(END, 1, TME)],
  ['programming KeyID 0', 'KEYID_RANGE', (c) => c.programKey(0, 0, 'random')],
  ['programming a KeyID above the last', 'KEYID_RANGE', (c) => c.programKey(0, TOP_KEYID + 1, 'random')],
  ['programming a package that is not there', 'PACKAGE_RANGE', (c) => c.programKey(2, 1, 'random')],
  ['capture above the last address', 'ADDRESS_RANGE', (c) => c.capture(END)],
];

const CONFIGS: [string, Partial<CoreConfig>][] = [
  ['no package', { packages: 0 }],
  ['nine packages', { packages: 9 }],
  ['45 address bits', { maxPhysAddrBits: 45 }],
  ['53 address bits', { maxPhysAddrBits: 53 }],
  ['no MAC bit', { macBits: 0 }],
  ['29 MAC bits', { macBits: 29 }],
  ['three sets', { cacheSets: 3, cacheWays: 2 }],
  ['32 ways', { cacheSets: 2, cacheWays: 32 }],
  ['a home range of half a GiB', { homes: [{ base: 0, size: 2 ** 29, package: 0 }] }],
  ['a home range of a missing package', { homes: [{ base: 0, size: 2 ** 30, package: 2 }] }],
];

function misuseOf(act: () => unknown): CoreMisuse['code'] | 'none' {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(CoreMisuse);
    return (error as CoreMisuse).code;
  }
  return 'none';
}

export function describeMisuse(engine: Engine): void {
  it.each(CALLS)('%s is %s, and changes nothing', (_name, code, call) => {
    const machine = keyed(engine);
    machine.store(0, HOME0, TME, Uint8Array.of(1, 2, 3));
    const counted = machine.counted(() => expect(misuseOf(() => call(machine.core))).toBe(code));
    expect(Object.entries(counted).filter(([, grown]) => grown !== 0)).toEqual([]);
    expect(machine.holders(HOME0)).toEqual([`0/${TME}*`]);
  });

  it('the last address, KeyID and package are in range', () => {
    const machine = keyed(engine);
    expect(misuseOf(() => machine.core.load(1, END - 8, 8, TOP_KEYID))).toBe('none');
    expect(misuseOf(() => machine.core.store(1, END - MAILBOX_BYTES, MAILBOX_BYTES, TME))).toBe('none');
  });

  describe('configurations that nobody could build', () => {
    it.each(CONFIGS)('%s', (_name, overrides) => {
      expect(misuseOf(() => engine.create({ ...CONFIG, ...overrides }))).toBe('CONFIG');
    });

    it('the limits themselves are allowed', () => {
      expect(misuseOf(() => engine.create({ ...CONFIG, packages: 8, maxPhysAddrBits: 46, macBits: 1 }))).toBe('none');
      expect(misuseOf(() => engine.create({ ...CONFIG, cacheSets: 1, cacheWays: 16 }))).toBe('none');
    });
  });
}
