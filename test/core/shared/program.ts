/** Random programs for the memory core: a machine and a list of steps that both engines run. */

import fc from 'fast-check';
import type { CoreConfig } from '../../../bindings/memory-core.ts';
import { CONFIG } from './engine.ts';
import { OP_NAMES, type Step } from './program-ops.ts';
import { LINES, NUM_PRIVATE, NUM_SHARED } from './world.ts';

export interface Program {
  readonly knobs: Partial<CoreConfig>;
  /** Bit 2·(KeyID − 1) + package: programmed with a random key at the start. */
  readonly programmed: number;
  /** Write every line once under its natural KeyID at the start. */
  readonly soundLines: boolean;
  readonly steps: readonly Step[];
}

export function configOf(program: Program): CoreConfig {
  return { ...CONFIG, numSharedKeyIds: NUM_SHARED, numPrivateKeyIds: NUM_PRIVATE, ...program.knobs };
}

const pick = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

const knobs: fc.Arbitrary<Partial<CoreConfig>> = fc
  .record({
    seed: pick(1n, 2n, 0xfedcba9876543210n),
    integrity: pick<CoreConfig['integrity']>('Ci', 'Ci', 'Ci', 'Li', 'none'),
    sharedIntegrity: fc.boolean(),
    macBits: pick(28, 28, 4, 8),
    tdBit: pick(true, true, true, false),
    checkOrder: pick<CoreConfig['checkOrder']>('td-first', 'td-first', 'mac-first'),
    unprogrammedKey: pick<CoreConfig['unprogrammedKey']>('tme', 'tme', 'fault'),
    partialWriteErratum: fc.boolean(),
    aesBits: pick<CoreConfig['aesBits']>(128, 256),
    cache: pick([0, 0], [0, 0], [2, 2], [2, 2], [1, 2], [4, 1]),
    cachePolicy: pick<CoreConfig['cachePolicy']>('lru', 'random'),
    crypto: pick<CoreConfig['crypto']>('lazy', 'lazy', 'lazy', 'eager'),
    provenance: pick(true, true, true, false),
  })
  .map(({ cache: [cacheSets, cacheWays], ...rest }) => ({ ...rest, cacheSets, cacheWays }));

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom(...OP_NAMES),
  fc.nat(LINES.length - 1),
  fc.nat(1),
  fc.nat(9),
  fc.nat(511),
  fc.nat(15),
);

export const programs = (maxSteps: number): fc.Arbitrary<Program> =>
  fc.record({
    knobs,
    programmed: pick(0xff, 0xff, 0, 0x5a, 0xa6),
    soundLines: pick(true, true, false),
    steps: fc.array(step, { minLength: 1, maxLength: maxSteps, size: 'max' }),
  });
