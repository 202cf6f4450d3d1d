/** docs/memory-law.md, "Provenance", and the probe's views of a range. */

import { describe, expect, it } from 'vitest';
import type { CoreConfig, Displacement } from '../../../bindings/memory-core.ts';
import { bytesOf, type Engine, GIB, HOME0, keyed, LINE, type Machine, PRIVATE, PRIVATE2, SHARED, TME } from './engine.ts';

const CI: Partial<CoreConfig> = { integrity: 'Ci', sharedIntegrity: true };
const A = bytesOf(1);

/** How a KeyID-0 line lands on a private line, by the cause that is logged. */
const CAUSES: Record<Displacement['cause'], (machine: Machine) => void> = {
  eviction: (m) => void m.core.evict(1, HOME0, TME),
  wbinvd: (m) => m.core.wbinvd(1),
  wbnoinvd: (m) => m.core.wbnoinvd(1),
  clflush: (m) => m.core.clflush(HOME0, 1, TME),
  snoop: (m) => void m.load(0, HOME0, TME),
  movdir64b: (m) => m.put(HOME0, TME, A),
  'nt-store': (m) => void m.direct('nt-store', HOME0, TME, A),
  'uc-store': (m) => void m.direct('uc-store', HOME0, TME, A),
  dma: (m) => void m.direct('dma', HOME0, TME, A),
};
const DIRECT = ['movdir64b', 'nt-store', 'uc-store', 'dma'];

function describeWriters(engine: Engine): void {
  it.each(Object.entries(CAUSES))('a displacement by %s is logged with both writers', (cause, act) => {
    const machine = keyed(engine, CI);
    machine.core.setEvent(10);
    machine.store(1, HOME0, TME, A);
    machine.core.setEvent(20);
    machine.put(HOME0, PRIVATE, A);
    if (!DIRECT.includes(cause)) machine.store(1, HOME0, TME, A);
    machine.core.setEvent(30);
    act(machine);
    const writer = DIRECT.includes(cause) ? 30 : 20;
    const log = machine.core.displacements(HOME0);
    const displaced = { displacedKeyId: PRIVATE, displacedTdBit: true, displacedWriter: 20 };
    expect(log.at(-1)).toEqual({ pa: HOME0, cause, event: 30, keyId: TME, tdBit: false, writer, ...displaced });
    expect(machine.core.inspect(HOME0).writer).toBe(writer);
  });

  it('a write that changes neither KeyID nor TD bit is not logged', () => {
    const machine = keyed(engine, CI);
    machine.put(HOME0, PRIVATE, A);
    const logged = machine.core.displacements(HOME0).length;
    machine.put(HOME0, PRIVATE, bytesOf(2));
    machine.store(0, HOME0, PRIVATE, A);
    machine.core.wbinvd(0);
    expect(machine.core.displacements(HOME0)).toHaveLength(logged);
    machine.put(HOME0, PRIVATE2, A);
    expect(machine.core.displacements(HOME0)).toHaveLength(logged + 1);
    expect(machine.core.displacements(HOME0 + LINE)).toEqual([]);
  });

  it('poison remembers the event and the check that made it, not those of its consumer', () => {
    const machine = keyed(engine, CI);
    machine.core.setEvent(1);
    machine.put(HOME0, PRIVATE, A);
    machine.core.setEvent(2);
    machine.core.speculate(0, HOME0, SHARED);
    machine.core.setEvent(3);
    expect(machine.load(1, HOME0, PRIVATE)).toBeNull();
    expect(machine.core.fault).toEqual({
      pa: HOME0,
      keyId: PRIVATE,
      check: 'td-bit',
      macWouldFire: true,
      tdBitWouldFire: true,
      poisonedBy: 2,
      storedKeyId: PRIVATE,
      storedTdBit: true,
      writer: 1,
    });
  });

  it('the explanation is computed: an equal key would have passed the MAC behind the TD bit', () => {
    const machine = keyed(engine, CI);
    machine.core.programKey(0, SHARED, 'no-encrypt');
    machine.core.programKey(0, PRIVATE, 'no-encrypt');
    machine.put(HOME0, PRIVATE, A);
    expect(machine.load(0, HOME0, SHARED)).toBeNull();
    expect(machine.core.fault).toMatchObject({ check: 'td-bit', macWouldFire: false, tdBitWouldFire: true });
  });
}

function describeRuns(engine: Engine): void {
  it('forEachRun reports private and poisoned lines as maximal runs of equal state', () => {
    const machine = keyed(engine, CI);
    machine.core.movdir64bFill(0, HOME0, 200, PRIVATE, 0n);
    machine.core.movdir64bFill(0, HOME0 + 50 * LINE, 10, PRIVATE2, 0n);
    machine.core.movdir64bFill(0, HOME0 + 100 * LINE, 1, TME, 0n);
    machine.core.flip(HOME0 + 100 * LINE, 'poison');
    machine.core.movdir64bFill(0, HOME0 + 150 * LINE, 1, TME, 0n);
    const runs: unknown[] = [];
    machine.core.forEachRun(HOME0, 1024 * LINE, (pa, lines, { keyId, tdBit, poison }) => {
      runs.push([(pa - HOME0) / LINE, lines, keyId, tdBit, poison]);
    });
    expect(runs).toEqual([
      [0, 50, PRIVATE, true, false],
      [50, 10, PRIVATE2, true, false],
      [60, 40, PRIVATE, true, false],
      [100, 1, TME, false, true],
      [101, 49, PRIVATE, true, false],
      [151, 49, PRIVATE, true, false],
    ]);
  });

  it('forEachRun stays within the range it was given', () => {
    const machine = keyed(engine, CI);
    machine.core.movdir64bFill(0, HOME0, 100, PRIVATE, 0n);
    const runs: unknown[] = [];
    machine.core.forEachRun(HOME0 + 10 * LINE, 5 * LINE, (pa, lines) => runs.push([(pa - HOME0) / LINE, lines]));
    expect(runs).toEqual([[10, 5]]);
  });

  it('forEachCached reports every cached tag of the range', () => {
    const machine = keyed(engine);
    machine.store(0, HOME0, TME, A);
    machine.load(1, HOME0, SHARED);
    machine.load(1, HOME0 + 70 * LINE, TME);
    machine.load(1, HOME0 + 100 * LINE, TME);
    const tags: string[] = [];
    machine.core.forEachCached(HOME0, 100 * LINE, (pa, copy) =>
      tags.push(`${(pa - HOME0) / LINE}:${copy.package}:${copy.keyId}:${copy.dirty}`),
    );
    expect(tags.sort()).toEqual(['0:0:0:true', '0:1:1:false', '70:1:0:false']);
  });
}

function describeSparse(engine: Engine): void {
  it('[SX-14] the last line of 52-bit memory works, and memory is paid for where it is touched', () => {
    const machine = keyed(engine, CI);
    const before = machine.core.memoryUsed();
    const addresses = [0, 6 * 2 ** 40, 2 ** 51, 2 ** 52 - LINE];
    for (const pa of addresses) machine.put(pa, PRIVATE, A);
    for (const pa of addresses) expect(machine.load(0, pa, PRIVATE)).toEqual(A);
    expect(machine.load(0, 2 ** 50, TME)).toEqual(new Uint8Array(LINE));
    expect(machine.core.memoryUsed() - before).toBeLessThan(2 ** 22);
  });

  it('lines of a gibibyte border belong to their own homes', () => {
    const machine = keyed(engine, CI);
    machine.core.programKey(1, PRIVATE, 'random');
    machine.core.movdir64bFill(0, GIB - 2 * LINE, 4, PRIVATE, 0n);
    const states = [-2, -1, 0, 1].map((i) => machine.core.inspect(GIB + i * LINE));
    expect(states.map((s) => [s.homePackage, s.generation])).toEqual([
      [0, 1],
      [0, 1],
      [1, 2],
      [1, 2],
    ]);
  });
}

export function describeProvenance(engine: Engine): void {
  describe('writers, displacements and poison', () => describeWriters(engine));
  describe('the probe', () => describeRuns(engine));
  describe('sparse memory', () => describeSparse(engine));
}
