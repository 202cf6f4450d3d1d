/** The log of displacements: what a fill leaves in it, and its bound. */
import { describe, expect, it } from 'vitest';
import { type CoreConfig, createCore, type MemoryCore } from '../../bindings/index.ts';
import { ENGINES } from './both.ts';
import { bytesOf, CONFIG, type Engine, GIB, LINE, Machine, PRIVATE, PRIVATE2, SHARED, TME } from './shared/engine.ts';

const PAGE = 4096;

describe('a fill over pages that differ', () => {
  /** Page by page: under which KeyID and by which event its lines were written; an odd line in the midst; or as at power-on. */
  const PAGES: readonly (readonly [keyId: number, event: number, odd?: number] | null)[] = [
    [SHARED, 1],
    [SHARED, 1],
    [SHARED, 2],
    [PRIVATE, 2],
    null,
    null,
    [SHARED, 1, PRIVATE],
    [PRIVATE2, 1],
    [PRIVATE, 1],
    [PRIVATE, 1],
    [SHARED, 1],
  ];
  function story(engine: Engine, knobs: Partial<CoreConfig>): unknown[] {
    const machine = new Machine(engine, knobs).programAll();
    const { core } = machine;
    PAGES.forEach((page, i) => {
      if (!page) return;
      const [keyId, event, odd] = page;
      core.setEvent(event);
      core.movdir64bFill(0, GIB + i * PAGE, 64, keyId, 3n);
      if (odd !== undefined) machine.put(GIB + i * PAGE + 9 * LINE, odd, bytesOf(1));
    });
    core.setEvent(9);
    core.movdir64bFill(0, GIB, PAGES.length * 64, PRIVATE2, 5n);
    const lines = PAGES.flatMap((_, i) => [0, 8, 9, 10, 63].map((line) => GIB + i * PAGE + line * LINE));
    return [core.counters().displacements, ...lines.map((pa) => [pa, core.displacements(pa), core.inspect(pa)])];
  }

  it.each([{}, { tdBit: false }, { unprogrammedKey: 'fault' }] as const)('logs of each line what it was: %j', (knobs) => {
    const [oracle, core] = ENGINES.map((engine) => story(engine, knobs));
    expect(core).toEqual(oracle);
  });
});

describe('the log of displacements', () => {
  const KEPT = 65_536;
  const PLACES = [0, 2 * LINE];

  /** Event n displaces the one line or the other: no two make a run. */
  function displaced(count: number): MemoryCore {
    const core = createCore({ ...CONFIG, cacheSets: 0 });
    for (let n = 1; n <= count; n++) {
      core.setEvent(n);
      core.movdir64b(0, PLACES[n % 2]!, (n >> 1) % 2 === 0 ? SHARED : PRIVATE);
    }
    return core;
  }

  it.each([3, 1024, 1025, 5000, KEPT, KEPT + 1, KEPT + 4321])('has the newest 65,536, oldest first: after %i', (count) => {
    const core = displaced(count);
    const kept = Array.from({ length: Math.min(count, KEPT) }, (_, i) => count - Math.min(count, KEPT) + 1 + i);
    for (const [which, pa] of PLACES.entries()) {
      expect(core.displacements(pa).map(({ event }) => event)).toEqual(kept.filter((n) => n % 2 === which));
    }
    expect(core.displacements(LINE)).toEqual([]);
    expect(core.counters().displacements).toBe(count);
  });

  it('takes no more memory once it is full, and is empty after a cold reset', () => {
    const core = displaced(KEPT);
    const full = core.memoryUsed();
    for (let n = 1; n <= 5000; n++) core.movdir64b(0, PLACES[n % 2]!, (n >> 1) % 2 === 0 ? PRIVATE : SHARED);
    expect(core.memoryUsed()).toBe(full);
    core.coldReset();
    expect(core.displacements(0)).toEqual([]);
    core.movdir64b(0, 0, PRIVATE);
    expect(core.displacements(0)).toHaveLength(1);
  });

  it('joins neighbours that are alike into a run, which all of its lines show', () => {
    const core = createCore({ ...CONFIG, cacheSets: 0 });
    core.setEvent(3);
    for (let line = 0; line < 2 * KEPT; line++) core.movdir64b(0, line * LINE, PRIVATE);
    for (const line of [0, 1, KEPT, 2 * KEPT - 1]) {
      expect(core.displacements(line * LINE)).toMatchObject([{ pa: line * LINE, event: 3, keyId: PRIVATE, displacedKeyId: TME }]);
    }
    expect(core.displacements(2 * KEPT * LINE)).toEqual([]);
  });
});
