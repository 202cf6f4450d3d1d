/** Running out of Wasm memory is a typed error that leaves the machine consistent (docs/memory-law.md, "Out of memory"). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Program, programs } from '../shared/program.ts';
import type { Step } from '../shared/program-ops.ts';
import { type Hunger, starvation } from './starvation.ts';
import { starvingCores } from './starving-core.ts';

const SEQUENCES = Number(process.env.SEAMLINE_SEQUENCES ?? 500);
const SEED = Number(process.env.SEAMLINE_SEED ?? 20_250_103);
const CHUNKS = 5;
const MAX_STEPS = 40;
const PAGED = [
  ...(['pageFill', 'pageCopy', 'pageWrite', 'pageRead', 'pageDirect', 'pageDma', 'pageCheck', 'pageFlush'] as const),
  ...(['store', 'load', 'wbinvd', 'wbnoinvd', 'evictSome', 'programKey'] as const),
];

function hunger(starve: fc.Arbitrary<Hunger['starve']>): fc.Arbitrary<Hunger[]> {
  return fc.array(fc.record({ step: fc.nat(MAX_STEPS - 1), starve }), { minLength: 1, maxLength: 20 });
}

/** Ranges of two pages on both sides of a home border, uniform at first, so that they go by pages. */
const paged: fc.Arbitrary<Program> = fc
  .record({
    program: programs(1),
    keyId: fc.constantFrom(0, 1, 3),
    steps: fc.array(
      fc.tuple(fc.constantFrom(...PAGED), fc.constantFrom(5, 5, 6), fc.nat(1), fc.nat(7), fc.nat(511), fc.nat(15)),
      { minLength: 1, maxLength: MAX_STEPS - 1, size: 'max' },
    ),
  })
  .map(({ program, keyId, steps }) => ({
    ...program,
    steps: [
      ['pageFill', 5, 0, keyId, 1, 1],
      ...steps.map(([name, line, pkg, other, x, y]): Step => [name, line, pkg, other < 6 ? keyId : other - 5, x, y]),
    ],
  }));

/** Where memory is short a TLB forgets, and then a walk has no oracle. */
const withoutWalks: fc.Arbitrary<Program> = fc
  .oneof(programs(MAX_STEPS), paged)
  .map((program) => ({ ...program, steps: program.steps.filter(([name]) => name !== 'septWalk') }))
  .filter(({ steps }) => steps.length > 0);

const WAYS = [
  [
    'requests for memory are refused',
    fc.oneof(programs(MAX_STEPS), paged),
    fc.record({ refuse: fc.nat(5), times: fc.constantFrom(1, 2, 1e9) }),
  ],
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
