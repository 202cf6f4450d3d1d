/** Runs one program on two engines and stops at the first answer that differs. */

import { bytesOf, type Engine } from './engine.ts';
import { configOf, type Program } from './program.ts';
import { type Answer, epitaph, pageEpitaph, prepareTables, type Run, runStep, tally } from './program-ops.ts';
import { LINES, NATURAL_KEYID, TABLE_KEYID } from './world.ts';

export function prepare(engine: Engine, program: Program): Run {
  const run: Run = { core: engine.create(configOf(program)), captured: [] };
  for (let bit = 0; bit < 8; ++bit) {
    if (program.programmed & (1 << bit)) run.core.programKey(bit & 1, (bit >> 1) + 1, 'random');
  }
  for (const pkg of [0, 1]) run.core.programKey(pkg, TABLE_KEYID, 'random');
  if (program.steps.some(([op]) => op.startsWith('sept'))) prepareTables(run, 0);
  if (program.soundLines) {
    LINES.forEach((pa, i) => {
      run.core.mailbox.u8.set(bytesOf(i));
      run.core.movdir64b(0, pa, NATURAL_KEYID[i]);
    });
  }
  return run;
}

/** Answers are flat lists of numbers, strings, bigints, booleans and nulls. */
function same(a: Answer, b: Answer): boolean {
  return a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
}

function compare(where: string, program: Program, engines: readonly Engine[], answers: readonly Answer[]): void {
  if (same(answers[0], answers[1])) return;
  const at = answers[0].findIndex((value, i) => !Object.is(value, answers[1][i]));
  const lines = engines.map((engine, i) => `  ${engine.name}: ${answers[i].map(String).join(' ')}`);
  throw new Error(`${where} differs from field ${at} on\n${lines.join('\n')}\n${describe(program)}`);
}

/** The program as it is written down in regressions.test.ts. */
export function describe({ knobs, programmed, soundLines, steps }: Program): string {
  const text = (value: unknown): string =>
    typeof value === 'bigint' ? `${value}n` : typeof value === 'string' ? `'${value}'` : String(value);
  const shownKnobs = Object.entries(knobs).map(([name, value]) => `${name}: ${text(value)}`);
  const shownSteps = steps.map((step) => `    [${step.map(text).join(', ')}],`);
  return `{\n  knobs: { ${shownKnobs.join(', ')} },\n  programmed: ${programmed},\n  soundLines: ${soundLines},\n  steps: [\n${shownSteps.join('\n')}\n  ],\n}`;
}

/** Throws where the two engines disagree on anything that software, an attacker or a probe could see. */
export function lockstep(engines: readonly [Engine, Engine], program: Program): void {
  const runs = engines.map((engine) => prepare(engine, program));
  program.steps.forEach((step, i) => {
    const answers = runs.map((run) => {
      run.core.setEvent(i + 1);
      return runStep(run, step);
    });
    compare(`step ${i} (${step[0]})`, program, engines, answers);
  });
  for (const pa of LINES)
    compare(
      `line 0x${pa.toString(16)} at the end`,
      program,
      engines,
      runs.map((run) => epitaph(run, pa)),
    );
  compare('pages at the end', program, engines, runs.map(pageEpitaph));
  compare('counters', program, engines, runs.map(tally));
}
