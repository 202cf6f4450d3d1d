/** Shrunk counter-examples of property.test.ts, kept: each once made the Wasm core and the oracle disagree. */

import { describe, it } from 'vitest';
import { CORE, ORACLE } from './both.ts';
import { lockstep } from './shared/lockstep.ts';
import type { Program } from './shared/program.ts';
import type { Step } from './shared/program-ops.ts';

function program(knobs: Program['knobs'], programmed: number, ...steps: Step[]): Program {
  return { knobs: { seed: 1n, ...knobs }, programmed, soundLines: true, steps };
}

const FAULT = { unprogrammedKey: 'fault' } as const;

const REGRESSIONS: Record<string, Program> = {
  'read() delivers the bytes before the poisoned line, as load() does': program(
    {},
    0xff,
    ['read', 1, 0, 3, 1, 6],
    ['load', 0, 0, 0, 0, 0],
  ),

  'an S-EPT entry with write but no read is a misconfiguration': program(
    {},
    0xff,
    ['septPrepare', 0, 0, 0, 0, 0],
    ['septEntry', 0, 0, 0, 0, 6],
    ['septWalk', 0, 0, 0, 0, 0],
  ),

  'poison of unknown origin reports the line as its consumer finds it': program(
    {},
    0xff,
    ['flip', 0, 0, 0, 0, 3],
    ['store', 0, 1, 0, 0, 0],
    ['load', 0, 0, 0, 0, 0],
  ),

  'fault: the poison of a fill remembers what it was written over': program(
    FAULT,
    0xff,
    ['warmReset', 0, 0, 0, 0, 0],
    ['movdir64bFill', 0, 0, 1, 0, 0],
    ['load', 0, 0, 0, 0, 0],
  ),

  'fault: a partial write makes poison once, by its read': program(
    FAULT,
    0xff,
    ['warmReset', 0, 0, 0, 0, 0],
    ['directStore', 0, 0, 3, 0, 0],
    ['load', 0, 0, 3, 0, 0],
  ),

  'fault: the write-back of a poisoned line keeps the first origin': program(
    FAULT,
    0,
    ['store', 0, 0, 3, 0, 0],
    ['load', 0, 1, 9, 0, 0],
    ['load', 0, 0, 0, 0, 0],
  ),

  'fault: replayed poison has an unknown origin, whatever KeyID lies under it': program(
    FAULT,
    0,
    ['capture', 0, 0, 0, 0, 0],
    ['replay', 0, 0, 0, 0, 0],
    ['load', 0, 0, 0, 0, 0],
  ),

  'fault: an attacker’s poison stays unknown over a write-back': program(
    FAULT,
    0xff,
    ['coldReset', 0, 0, 0, 0, 0],
    ['flip', 0, 0, 0, 0, 15],
    ['store', 0, 1, 1, 0, 0],
    ['load', 0, 0, 1, 0, 0],
  ),
};

describe('kept counter-examples', () => {
  it.each(Object.entries(REGRESSIONS))('%s', (_name, { knobs, ...rest }) => {
    for (const crypto of ['lazy', 'eager'] as const) lockstep([ORACLE, CORE], { ...rest, knobs: { ...knobs, crypto } });
  });
});
