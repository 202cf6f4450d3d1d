import fc from 'fast-check';
import { describe, it } from 'vitest';
import { CORE, ORACLE } from './both.ts';
import { lockstep } from './shared/lockstep.ts';
import { programs } from './shared/program.ts';

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
        fc.property(programs(MAX_STEPS), (program) => lockstep([ORACLE, CORE], program)),
        { numRuns, seed: SEED + chunk },
      );
    },
    600_000,
  );
});
