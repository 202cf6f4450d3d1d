/** The memory law in a browser: the same tables and random sequences as in Node. */

import fc from 'fast-check';
import { it } from 'vitest';
import { createCore } from '../../bindings/index.ts';
import { EagerCore } from '../oracle/eager-core.ts';
import type { Engine } from './shared/engine.ts';
import { describeLaw } from './shared/law-suite.ts';
import { lockstep } from './shared/lockstep.ts';
import { programs } from './shared/program.ts';

const core: Engine = { name: 'the Wasm core', create: (config) => createCore(config) };
const oracle: Engine = { name: 'the eager oracle', create: (config) => new EagerCore(config) };

describeLaw(core);
describeLaw(oracle);

it('500 random sequences: both answer alike', () => {
  fc.assert(
    fc.property(programs(40), (program) => lockstep([oracle, core], program)),
    { numRuns: 500, seed: 2 },
  );
});
