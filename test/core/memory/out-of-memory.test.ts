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

type Name = Step[0];
/** Operations on ranges of pages, and what makes them interesting. */
const PAGED: readonly Name[] = [
  ...(['pageFill', 'pageCopy', 'pageWrite', 'pageRead', 'pageDirect', 'pageDma', 'pageCheck', 'pageFlush'] as const),
  ...(['store', 'load', 'wbinvd', 'wbnoinvd', 'evictSome', 'programKey'] as const),
];
/** Operations after which something is still to be done, and those that then have to do it. */
const OWED: readonly Name[] = [
  ...(['store', 'store', 'store', 'load', 'movdir64b', 'directStore', 'check'] as const),
  ...(['wbinvd', 'wbinvd', 'wbnoinvd', 'evict', 'evictSome', 'programKey', 'programKey', 'pageWrite'] as const),
];

function hunger(starve: fc.Arbitrary<Hunger['starve']>): fc.Arbitrary<Hunger[]> {
  return fc.array(fc.record({ step: fc.nat(MAX_STEPS - 1), starve }), { minLength: 1, maxLength: MAX_STEPS, size: 'max' });
}

function stepsOf(names: readonly Name[], lines: readonly number[], keyIds: fc.Arbitrary<number>): fc.Arbitrary<Step[]> {
  const step = fc.tuple(fc.constantFrom(...names), fc.constantFrom(...lines), fc.nat(1), keyIds, fc.nat(511), fc.nat(15));
  return fc.array(step, { minLength: 1, maxLength: MAX_STEPS - 1, size: 'max' });
}

/** Ranges of two pages on both sides of a home border, uniform at first under one KeyID, so that they go by pages. */
const paged: fc.Arbitrary<Program> = fc.constantFrom(0, 1, 3).chain((keyId) =>
  fc
    .tuple(programs(1), stepsOf(PAGED, [5, 5, 6], fc.constantFrom(keyId, keyId, keyId, 0, 1, 3)))
    .map(([program, steps]): Program => {
      if (keyId === 0) return { ...program, soundLines: false, steps };
      return { ...program, steps: [['pageFill', 5, 0, keyId, 1, 1], ...steps] };
    }),
);

const owed: fc.Arbitrary<Program> = fc
  .tuple(programs(1), stepsOf(OWED, [0, 1, 3, 5], fc.nat(9)))
  .map(([program, steps]) => ({ ...program, steps }));

const all = fc.oneof(programs(MAX_STEPS), paged, owed);

/** Where memory is short a TLB forgets, and then a walk has no oracle. */
const withoutWalks: fc.Arbitrary<Program> = all
  .map((program) => ({ ...program, steps: program.steps.filter(([name]) => name !== 'septWalk') }))
  .filter(({ steps }) => steps.length > 0);

const WAYS = [
  ['requests for memory are refused', all, fc.record({ refuse: fc.nat(5), times: fc.constantFrom(1, 2, 1e9) })],
  [
    'the heap is full, or nearly',
    withoutWalks,
    fc.record({ room: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(300_000)), blocks: fc.boolean() }),
  ],
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
