/** The kinds of fault, in the order in which they are shown everywhere. */
import type { Check } from '../../../bindings/memory-core.ts';
import type { StressTerm } from './program.ts';

/** The check that made the poison which an operation met. */
export type StressFault = Exclude<Check, 'none'>;

export const STRESS_FAULTS: readonly StressTerm<StressFault>[] = [
  { name: 'td-bit', description: 'the TD owner bit and the KeyID disagreed' },
  { name: 'mac', description: 'the MAC was wrong' },
  { name: 'unprogrammed-key', description: 'the KeyID had no key' },
  { name: 'partial-write', description: 'a partial write had poisoned the line silently' },
  { name: 'poison', description: 'the line was poisoned before, by a cause that is not known any more' },
];
