import { allKnobs, deviations, type KnobVector } from './knobs.ts';
import type { Cause } from './report.ts';

/**
 * An omission is no event: nothing in a log says that a flush did not happen. So replay the run with each deviating knob restored to the
 * reference value, all else equal; the restorations that make the failure go away are its causes (DESIGN.md §3).
 */
export function findCauses(vector: KnobVector, reference: KnobVector, stillFails: (vector: KnobVector) => boolean): Cause[] {
  return Object.entries(deviations(vector, reference))
    .filter(([knob, { reference: restored }]) => !stillFails({ ...vector, [knob]: restored }))
    .map(([knob, { value, reference: restored }]) => ({
      knob,
      value,
      reference: restored,
      requirements: allKnobs[knob]!.requirements ?? [],
      about: allKnobs[knob]!.about,
    }));
}
