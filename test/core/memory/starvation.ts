/**
 * Runs one program on the oracle and on a core that is starved at given steps. A step that runs out of memory must leave a state that
 * the oracle passes between two pieces of it; then there is memory again, and both go on with the whole step.
 */

import { CoreMisuse } from '../../../bindings/index.ts';
import { GIB } from '../shared/engine.ts';
import { describe as describeProgram, prepare } from '../shared/lockstep.ts';
import { configOf, type Program } from '../shared/program.ts';
import { type Answer, cachedTables, epitaph, pageEpitaph, type Run, runStep, type Step, tally } from '../shared/program-ops.ts';
import { LINES, TABLE_KEYID } from '../shared/world.ts';
import { PiecewiseOracle } from './piecewise-oracle.ts';
import type { StarvingCore } from './starving-core.ts';

/** Before which step (modulo their number) what is done to the heap. */
export interface Hunger {
  readonly step: number;
  readonly starve: { readonly refuse: number; readonly times: number } | { readonly room: number; readonly blocks: boolean };
}

/** They do lines in an order of their own, and may be stopped between any two; what counts is that one more call ends them. */
const UNORDERED: readonly Step[0][] = ['wbnoinvd'];

class Matched extends Error {}

function stateOf({ core }: Run): string {
  const run: Run = { core, captured: [] };
  const answers: Answer[] = [...LINES.map((pa) => epitaph(run, pa)), pageEpitaph(run), cachedTables(run), tally(run)];
  return answers.map((answer) => answer.map(String).join(' ')).join('\n');
}

function starve(heap: StarvingCore, { starve }: Hunger): void {
  if ('room' in starve) heap.squeeze(starve.room, starve.blocks);
  else heap.refuse(starve.refuse, starve.times);
}

/** Brings the oracle to where the core has stopped. */
function catchUp(oracle: Run & { readonly core: PiecewiseOracle }, step: Step, stopped: string): void {
  const states: string[] = [];
  const look = (): void => {
    const state = stateOf(oracle);
    if (state === stopped) throw new Matched();
    states.push(state);
  };
  oracle.core.beforePiece = look;
  try {
    look();
    runStep({ core: oracle.core, captured: [...oracle.captured] }, step);
    look();
  } catch (error) {
    if (error instanceof Matched) return;
    throw error;
  } finally {
    oracle.core.beforePiece = () => {};
  }
  throw new Error(`after ${states.length} pieces at most it is not in a state on the way:\n${difference(states[0]!, stopped)}`);
}

/** The first line in which two texts differ. */
function difference(a: string, b: string): string {
  const [left, right] = [a.split('\n'), b.split('\n')];
  const at = left.findIndex((line, i) => line !== right[i]);
  const words = [left[at]!.split(' '), right[at]!.split(' ')];
  const field = words[0]!.findIndex((word, i) => word !== words[1]![i]);
  return words.map((line) => `  ${at}/${field}: ${line.slice(Math.max(0, field - 4), field + 12).join(' ')}`).join('\n');
}

/** The log of displacements takes its first piece of memory when it has something to log, and does without where there is none. */
function startLog({ core }: Run): void {
  core.movdir64b(0, 2 * GIB, TABLE_KEYID);
}

/** Returns how many steps ran out of memory. Throws where core and oracle part. */
export function starvation(
  create: (config: ReturnType<typeof configOf>) => StarvingCore,
  program: Program,
  hunger: readonly Hunger[],
): number {
  const heap = create(configOf(program));
  const core = prepare({ name: 'core', create: () => heap.core }, program);
  const oracle = prepare({ name: 'oracle', create: (config) => new PiecewiseOracle(config) }, program) as Run & {
    readonly core: PiecewiseOracle;
  };
  for (const run of [core, oracle]) startLog(run);
  let failures = 0;
  const fail = (where: string, what: unknown): never => {
    throw new Error(`${where}: ${what}\n${JSON.stringify(hunger)}\n${describeProgram(program)}`);
  };
  program.steps.forEach((step, i) => {
    const where = `step ${i} (${step[0]})`;
    for (const run of [core, oracle]) run.core.setEvent(i + 1);
    for (const at of hunger) if (at.step % program.steps.length === i) starve(heap, at);
    let answer: Answer | undefined;
    try {
      answer = runStep(core, step);
    } catch (error) {
      if (!(error instanceof CoreMisuse && error.code === 'OUT_OF_MEMORY')) fail(where, error);
      failures += 1;
      heap.feed();
      try {
        if (!UNORDERED.includes(step[0])) catchUp(oracle, step, stateOf(core));
      } catch (error) {
        fail(`${where}, out of memory`, error);
      }
      answer = runStep(core, step);
    }
    const expected = runStep(oracle, step);
    const [got, wanted] = [answer, expected].map((list) => list!.map(String).join(' '));
    if (got !== wanted) fail(where, `\n  core:   ${got}\n  oracle: ${wanted}`);
  });
  heap.feed();
  if (stateOf(core) !== stateOf(oracle)) fail('at the end', `\n${difference(stateOf(oracle), stateOf(core))}`);
  return failures;
}
