import fc from 'fast-check';
import { describe, it } from 'vitest';
import { createCore } from '../../bindings/index.ts';
import { EagerCore } from '../oracle/eager-core.ts';
import type { Engine } from './shared/engine.ts';
import { lockstep } from './shared/lockstep.ts';
import { programs } from './shared/program.ts';

const oracle: Engine = { name: 'oracle', create: (config) => new EagerCore(config) };
const core: Engine = { name: 'core', create: (config) => createCore(config) };

const SEQUENCES = Number(process.env.SEAMLINE_SEQUENCES ?? 20_000);
const SEED = Number(process.env.SEAMLINE_SEED ?? 20_250_101);
const CHUNKS = 20;
const MAX_STEPS = 40;

describe(`${SEQUENCES} random sequences: the Wasm core answers as the eager model does`, () => {
  it.each(Array.from({ length: CHUNKS }, (_, i) => i))(
    'part %i',
    (chunk) => {
      const numRuns = Math.ceil(SEQUENCES / CHUNKS);
      fc.assert(
        fc.property(programs(MAX_STEPS), (program) => lockstep([oracle, core], program)),
        { numRuns, seed: SEED + chunk },
      );
    },
    600_000,
  );
});
