/** Random sequences that start from one uniform range of 4 MiB over the border of two homes: nodes are split and merged again. */

import fc from 'fast-check';
import { it } from 'vitest';
import { CORE, ORACLE } from './both.ts';
import { type Engine, GIB, LINE, SHARED } from './shared/engine.ts';
import { lockstep } from './shared/lockstep.ts';
import { type Program, programs } from './shared/program.ts';

const HALF = 2 ** 21;

/** The engine with its first 4 MiB around the border already written by `keyId`. */
function blanketed(engine: Engine, keyId: number): Engine {
  const create: Engine['create'] = (config) => {
    const core = engine.create(config);
    core.movdir64bFill(0, GIB - HALF, (2 * HALF) / LINE, keyId, 0x1111111111111111n);
    return core;
  };
  return { name: engine.name, create };
}

it.each([0, SHARED, 3])(
  '4 MiB under KeyID %i, then anything',
  (keyId) => {
    const spread = (program: Program): Program => ({ ...program, soundLines: false });
    fc.assert(
      fc.property(programs(60).map(spread), (program) => lockstep([blanketed(ORACLE, keyId), blanketed(CORE, keyId)], program)),
      { numRuns: 5, seed: 4 + keyId, endOnFailure: true },
    );
  },
  300_000,
);
