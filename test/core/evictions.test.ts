/** Which tags evictions and resets take out of the caches. */
import { describe, expect, it } from 'vitest';
import { ENGINES } from './both.ts';
import { GIB, LINE, Machine, SHARED, TME } from './shared/engine.ts';

const PAGE = 4096;

describe.each(ENGINES)('one line of many: $name', (engine) => {
  it('a line that a package does not hold is not evicted, whatever else of the page it holds', () => {
    const { core } = new Machine(engine).programAll();
    for (const line of [0, 5]) core.store(0, line * LINE, 8, TME);
    expect([5, 6, 0, 1].map((line) => core.evict(0, line * LINE, TME))).toEqual([true, false, true, false]);
    expect([0, 5].map((line) => core.evict(1, line * LINE, TME))).toEqual([false, false]);
  });

  it('evictions by rank empty page after page, and none twice', () => {
    const { core } = new Machine(engine, { cacheSets: 0 }).programAll();
    const held = [0, 1, 2].flatMap((page) => [0, 7, 63].map((line) => page * PAGE + line * LINE));
    for (const pa of held) {
      core.store(0, pa, 8, TME);
      core.store(0, pa, 8, SHARED);
    }
    for (let left = 2 * held.length; left > 0; left--) {
      expect(core.evictSome(0, 1)).toBe(1);
      expect(held.flatMap((pa) => core.cachedCopies(pa))).toHaveLength(left - 1);
    }
    expect(core.evictSome(0, 1)).toBe(0);
  });
});

describe.each(ENGINES)('caches after a reset: $name', (engine) => {
  it.each([
    ['coldReset', 0],
    ['coldReset', 4],
    ['warmReset', 0],
    ['warmReset', 4],
  ] as const)('%s, %i sets: empty, and what comes then is all that is evicted', (reset, cacheSets) => {
    const { core } = new Machine(engine, { cacheSets, cacheWays: 4 }).programAll();
    const spread = [0, LINE, 3 * PAGE, GIB + PAGE, 2 ** 40];
    for (const pkg of [0, 1]) for (const pa of spread) core.store(pkg, pa + pkg * 2 * LINE, 8, TME);
    core[reset]();
    expect(spread.flatMap((pa) => [...core.cachedCopies(pa), ...core.cachedCopies(pa + 2 * LINE)])).toEqual([]);
    expect([core.evictSome(0, 5), core.evictSome(1, 5)]).toEqual([0, 0]);
    for (const pa of spread.slice(0, 3)) core.store(1, pa, 8, TME);
    expect([core.evictSome(0, 9), core.evictSome(1, 2), core.evictSome(1, 9)]).toEqual([0, 2, 1]);
  });
});
