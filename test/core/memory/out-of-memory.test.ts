/** Running out of Wasm memory is a typed error that leaves the machine consistent (docs/memory-law.md, "Out of memory"). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Program, programs } from '../shared/program.ts';
import { type Hunger, starvation } from './starvation.ts';
import { starvingCores } from './starving-core.ts';

const SEQUENCES = Number(process.env.SEAMLINE_SEQUENCES ?? 1000);
const SEED = Number(process.env.SEAMLINE_SEED ?? 20_250_103);
const CHUNKS = 5;
const MAX_STEPS = 40;

function hunger(starve: fc.Arbitrary<Hunger['starve']>): fc.Arbitrary<Hunger[]> {
  return fc.array(fc.record({ step: fc.nat(MAX_STEPS - 1), starve }), { minLength: 1, maxLength: 20 });
}

/** Where memory is short a TLB forgets, and then a walk has no oracle. */
const withoutWalks: fc.Arbitrary<Program> = programs(MAX_STEPS)
  .map((program) => ({ ...program, steps: program.steps.filter(([name]) => name !== 'septWalk') }))
  .filter(({ steps }) => steps.length > 0);

const WAYS = [
  ['requests for memory are refused', programs(MAX_STEPS), fc.record({ refuse: fc.nat(5), times: fc.constantFrom(1, 2, 1e9) })],
  ['the heap is nearly full', withoutWalks, fc.record({ room: fc.oneof(fc.constant(0), fc.nat(300_000)), blocks: fc.boolean() })],
] as const;

describe.each(WAYS)(`${SEQUENCES} random sequences in which %s`, (_way, sequences, starve) => {
  let failures = 0;
  it.each(Array.from({ length: CHUNKS }, (_, i) => i))(
    'stop between two pieces, and go on when there is memory: part %i',
    async (chunk) => {
      const create = await starvingCores();
      fc.assert(
        fc.property(sequences, hunger(starve), (program, at) => {
          failures += starvation(create, program, at);
        }),
        { numRuns: Math.ceil(SEQUENCES / CHUNKS), seed: SEED + chunk },
      );
    },
    600_000,
  );

  it('did run out', () => expect(failures).toBeGreaterThan(SEQUENCES));
});
