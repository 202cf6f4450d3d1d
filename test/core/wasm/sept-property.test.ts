/** Random tables, edits, walks and INVEPTs in a wide space: single walks, batches and the eager model answer alike. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CoreConfig, MemoryCore } from '../../../bindings/index.ts';
import { createCore } from '../../../bindings/index.ts';
import { EagerCore } from '../../oracle/eager-core.ts';
import { CONFIG, PRIVATE } from '../shared/engine.ts';
import { churn, own, prepare, programs, ROOTS, type Step, setRoot, tableAt } from './sept-space.ts';

const SEPT_COUNTERS = ['septWalks', 'septWalkSteps', 'tlbHits', 'tlbMisses'] as const;
const RUNS = Number(process.env.SEAMLINE_SEQUENCES ?? 150);

type Walk = Extract<Step, { kind: 'walk' }>;
type Walker = (core: MemoryCore, step: Walk) => unknown[];

/** Status, HPA, entry and level of a walk; where there is no mapping an HPA means nothing. */
function outcome(core: MemoryCore): unknown[] {
  return [core.walkStatus, core.walkStatus === 0 ? core.walkHpa : 0, core.walkEntry, core.walkLevel];
}

const oneByOne: Walker = (core, { lp, pkg, gpas, write }) => {
  const seen: unknown[] = [];
  for (const gpa of gpas) {
    if (core.septWalk(lp, 0, pkg, gpa, write) !== 0) break;
    seen.push(core.walkHpa);
  }
  return [...seen, ...outcome(core)];
};

const atOnce: Walker = (core, { lp, pkg, gpas, write }) => {
  const hpas = new Float64Array(gpas.length).fill(-1);
  const mapped = core.septWalkMany(lp, 0, pkg, Float64Array.from(gpas), write, hpas);
  expect(hpas.subarray(mapped)).toEqual(new Float64Array(gpas.length - mapped).fill(-1));
  return [...hpas.subarray(0, mapped), ...outcome(core)];
};

function ready(core: MemoryCore): MemoryCore {
  own(core, PRIVATE);
  prepare((table, index, entry) => core.fill(0, tableAt(table) + index * 8, 8, PRIVATE, entry));
  for (const lp of [0, 1, 2]) setRoot(core, lp, ROOTS[(lp * 3) % ROOTS.length]!, PRIVATE);
  return core;
}

function act(core: MemoryCore, step: Step, walker: Walker): unknown[] {
  if (step.kind === 'walk') return walker(core, step);
  if (step.kind === 'set') core.fill(0, tableAt(step.table) + step.index * 8, 8, PRIVATE, step.entry);
  else if (step.kind === 'root') setRoot(core, step.lp, step.table, PRIVATE);
  else if (step.kind === 'invept') core.invept(step.lp);
  else churn(core, PRIVATE, step);
  return [];
}

function counted(core: MemoryCore): number[] {
  const all = core.counters();
  return SEPT_COUNTERS.map((name) => all[name]);
}

const CACHES: Record<string, Partial<CoreConfig>> = {
  'unbounded caches': {},
  'a small LRU cache': { cacheSets: 4, cacheWays: 2, cachePolicy: 'lru' },
  'a small random cache': { cacheSets: 4, cacheWays: 2, cachePolicy: 'random' },
};

describe('S-EPT walks in a wide space', () => {
  it.each(Object.keys(CACHES))('%s: the model, single walks and batches agree', (name) => {
    const config = { ...CONFIG, maxPhysAddrBits: 46, ...CACHES[name] };
    const program = (steps: readonly Step[]): void => {
      const [model, single, batch] = [ready(new EagerCore(config)), ready(createCore(config)), ready(createCore(config))];
      for (const step of steps) {
        const answer = act(single, step, oneByOne);
        expect(act(batch, step, atOnce)).toEqual(answer);
        expect(act(model, step, oneByOne)).toEqual(answer);
      }
      expect(counted(batch)).toEqual(counted(single));
      const [walks, , hits, misses] = counted(single);
      expect(hits + misses).toBe(walks);
      expect(batch.counters().evictions).toBe(model.counters().evictions);
    };
    fc.assert(fc.property(programs, program), { numRuns: RUNS, seed: 31 });
  });
});
