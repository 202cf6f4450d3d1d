/** What operations cost as the footprint grows from 1 MiB to 1 TiB: counted, not timed. */
import { linearRegression } from 'simple-statistics';
import { describe, expect, it } from 'vitest';
import { createCore, type MemoryCore } from '../../bindings/index.ts';
import { CONFIG, PRIVATE } from './shared/engine.ts';

const LINE = 64;
const PAGE = 4096;
const TREE_LEVELS = 4;
const MIB = 2 ** 20;
const SIZES = Array.from({ length: 11 }, (_, i) => MIB * 4 ** i);

/** Exponent of growth of `cost` with the size: slope of a straight line through the logarithms. */
function exponent(points: readonly (readonly [number, number])[]): number {
  return linearRegression(points.map(([size, cost]) => [Math.log(size), Math.log(cost + 1)])).m;
}

function machine(): MemoryCore {
  const core = createCore({ ...CONFIG, packages: 1, homes: [] });
  core.movdir64bFill(0, 0, (4 * 2 ** 40) / LINE, PRIVATE, 0n);
  return core;
}

function cost(core: MemoryCore, act: () => void): number {
  const of = (): number => {
    const { nodesVisited, tagsCompared, slotsAllocated, bytesCopied, cryptoBlocks } = core.counters();
    return nodesVisited! + tagsCompared! + slotsAllocated! + bytesCopied! + cryptoBlocks!;
  };
  const before = of();
  act();
  return of() - before;
}

/** Cost of one operation at each size, each on a fresh machine. */
function growth(act: (core: MemoryCore, size: number) => void): [number, number][] {
  return SIZES.map((size) => {
    const core = machine();
    return [size, cost(core, () => act(core, size))];
  });
}

describe('from 1 MiB to 1 TiB', () => {
  it('a direct fill of an aligned range costs its tree nodes, not its lines', () => {
    const points = growth((core, size) => core.movdir64bFill(0, 2 ** 40, size / LINE, PRIVATE + 1, 7n));
    expect(exponent(points)).toBeLessThan(0.1);
    expect(Math.max(...points.map(([, nodes]) => nodes))).toBeLessThan(2 * 512);
  });

  it('a check of a uniform range costs one step a descriptor', () => {
    const points = growth((core, size) => expect(core.check(2 ** 40, size, PRIVATE)).toBe(0));
    expect(exponent(points)).toBeLessThan(0.1);
    expect(Math.max(...points.map(([, steps]) => steps))).toBeLessThan(16);
  });

  it('a WBINVD costs nothing more for more dirty pages, and a page pays for itself when it is looked at', () => {
    const pages = [16, 64, 256, 1024, 4096];
    const costs = pages.map((count) => {
      const core = machine();
      for (let i = 0; i < count; i++) core.store(0, i * PAGE, 8, PRIVATE);
      const used = core.memoryUsed();
      core.wbinvd(0);
      expect(core.memoryUsed()).toBe(used);
      return cost(core, () => core.inspect(0)) - cost(core, () => core.inspect(0));
    });
    // Reading the counters settles every page: what is left of one look is a walk down the tree, if its end was forgotten since.
    expect(Math.max(...costs)).toBeLessThanOrEqual(TREE_LEVELS);
  });

  it('a re-key costs the same whatever was written under the old key', () => {
    const points = growth((core, size) => {
      core.movdir64bFill(0, 0, size / LINE, PRIVATE, 1n);
      core.programKey(0, PRIVATE, 'random');
    });
    expect(exponent(points)).toBeLessThan(0.1);
  });

  it('populated ranges cost what is populated, and give it back', () => {
    const counts = [64, 256, 1024, 4096];
    const points = counts.map((count): [number, number] => {
      const core = machine();
      const page = new Uint8Array(PAGE).fill(3);
      for (let i = 0; i < count; i++) core.directWrite('movdir64b', 0, i * 2 * PAGE, PRIVATE, page);
      const freed = core.counters().slotsFreed!;
      core.movdir64bFill(0, 0, (4 * 2 ** 40) / LINE, PRIVATE, 0n);
      return [count, core.counters().slotsFreed! - freed];
    });
    expect(exponent(points)).toBeGreaterThan(0.9);
    expect(exponent(points)).toBeLessThan(1.1);
  });
});
