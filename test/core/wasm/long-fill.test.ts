/** A MOVDIR64B fill through a faulting KeyID beyond 2^20 lines keeps no record of each (docs/memory-law.md, "Fault records"). */
import { describe, expect, it } from 'vitest';
import { createCore, type FaultRecord, type MemoryCore } from '../../../bindings/index.ts';
import { CONFIG, PRIVATE, TME } from '../shared/engine.ts';

const BASE = 2 ** 40;
const PAGE = 4096;

function filled(lines: number, provenance: boolean): MemoryCore {
  const core = createCore({ ...CONFIG, unprogrammedKey: 'fault', provenance });
  core.setEvent(7);
  core.movdir64bFill(0, BASE, lines, PRIVATE, 1n);
  core.setEvent(8);
  return core;
}

function faultAt(core: MemoryCore, pa: number): FaultRecord {
  expect(core.load(0, pa, 8, PRIVATE)).toBe(1);
  return core.fault;
}

describe.each([
  [true, 2 ** 20 + 64, { poisonedBy: 7, storedKeyId: PRIVATE, storedTdBit: true, writer: 7 }],
  [false, 2 ** 20 + 64, { poisonedBy: 0, storedKeyId: PRIVATE, storedTdBit: true, writer: 0 }],
  [true, 64 * 64, { poisonedBy: 7, storedKeyId: TME, storedTdBit: false, writer: 0 }],
])('provenance %s, a fill of %i lines: the poison of a line', (provenance, lines, left) => {
  const origin = { check: 'unprogrammed-key', macWouldFire: null, tdBitWouldFire: false, ...left };

  it('comes from the fill', () => {
    expect(faultAt(filled(lines, provenance), BASE + 64)).toMatchObject(origin);
  });

  it('does so beside lines that have been written since, few or many', () => {
    const core = filled(lines, provenance);
    for (let line = 0; line < 63; line++) {
      core.movdir64b(0, BASE + PAGE + line * 64, TME);
      core.clflush(BASE, 2 * 64, PRIVATE);
      expect(faultAt(core, BASE + PAGE + 63 * 64)).toMatchObject(origin);
    }
  });

  it('does so in a cache when DRAM is poisoned no more', () => {
    const core = filled(lines, provenance);
    core.speculate(0, BASE, PRIVATE);
    core.movdir64b(0, BASE, TME);
    expect(faultAt(core, BASE)).toMatchObject(origin);
  });

  it('is the attacker’s when he has made it again', () => {
    const core = filled(lines, provenance);
    for (let i = 0; i < 2; i++) core.flip(BASE, 'poison');
    expect(faultAt(core, BASE)).toMatchObject({ check: 'poison', poisonedBy: 0 });
    core.flip(BASE + 64, 'data', 3);
    expect(faultAt(core, BASE + 64)).toMatchObject({ check: 'unprogrammed-key' });
  });
});
