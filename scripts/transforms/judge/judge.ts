/**
 * The process that tells whether the core's tests notice a mutant. `record FILE` runs every test once on the plain core, with the
 * oracle's answers and the mutants that each test passes written down; `judge FILE` then answers mutant numbers over IPC.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { addImports } from '../core-module.mjs';
import { recording, startRecording, startReplay } from './recorded-oracle.ts';
import { type Unit, units } from './vitest.ts';

/** What is known of a test on the plain core. */
interface Baseline {
  readonly name: string;
  /** Of processor time: what else the machine does is no matter. */
  readonly ms: number;
  readonly fuel: bigint;
  readonly passed: readonly number[];
  readonly tape: Uint8Array;
}

export type Verdict = 'killed' | 'out of fuel' | 'survived' | 'not reached';

const NONE = 0;
const TRACE = -1;
const PLENTY = 2n ** 60n;
/** A mutant may work this much harder than the plain core before it counts as endless. */
const PATIENCE = 4n;
const LEAST_FUEL = 100_000n;

fc.configureGlobal({ seed: 1, endOnFailure: true });

const fuel = new WebAssembly.Global({ value: 'i64', mutable: true }, PLENTY);
const passed = new Set<number>();
let current = NONE;
let isDry = false;

addImports(() => ({
  mutant: new WebAssembly.Global({ value: 'i32' }, current),
  fuel,
  passed: (mutant: number) => void passed.add(mutant),
  exhausted: () => {
    isDry = true;
    throw new Error('out of fuel');
  },
}));

/** What went wrong, or null. */
async function run(unit: Unit, mutant: number, budget: bigint): Promise<string | null> {
  current = mutant;
  isDry = false;
  fuel.value = budget;
  try {
    await unit.run();
  } catch (error) {
    return isDry ? 'out of fuel' : String(error).split('\n')[0]!;
  }
  return isDry ? 'out of fuel' : null;
}

/** Why the test cannot judge, or null when it never comes by a mutant. */
async function recordUnit(unit: Unit): Promise<Baseline | string | null> {
  passed.clear();
  startRecording();
  const first = await run(unit, TRACE, PLENTY);
  if (passed.size === 0) return null;
  if (first !== null) return first;
  const tape = recording();
  startReplay(tape);
  const start = process.cpuUsage();
  const second = await run(unit, NONE, PLENTY);
  const { user, system } = process.cpuUsage(start);
  const ms = (user + system) / 1000;
  return second ?? { name: unit.name, ms, fuel: PLENTY - (fuel.value as bigint), passed: [...passed], tape };
}

async function record(file: string): Promise<void> {
  const records: Baseline[] = [];
  const unfit: string[] = [];
  for (const unit of units) {
    const result = await recordUnit(unit);
    if (typeof result === 'string') unfit.push(`${unit.name}: ${result}`);
    else if (result !== null) records.push(result);
  }
  writeFileSync(file, serialize(records));
  process.send!({ tests: records.length, ms: records.reduce((sum, { ms }) => sum + ms, 0), unfit });
}

/** As many as fit into `effort` milliseconds, but always one. */
function within(effort: number, those: readonly Baseline[]): Baseline[] {
  let spent = 0;
  return those.filter(({ ms }, i) => {
    spent += ms;
    return i === 0 || spent <= effort;
  });
}

/** Half the effort goes to the quickest tests, half to those that pass the most mutants: the random sequences. */
function chosen(quickestFirst: readonly Baseline[], effort: number): Baseline[] {
  const quick = within(effort / 2, quickestFirst);
  const rest = quickestFirst.slice(quick.length).sort((a, b) => b.passed.length - a.passed.length);
  return [...quick, ...within(effort / 2, rest)];
}

async function judge(file: string, effort: number): Promise<void> {
  const byName = new Map(units.map((unit) => [unit.name, unit]));
  const records = (deserialize(readFileSync(file)) as Baseline[]).sort((a, b) => a.ms - b.ms);
  const reach = records.map((one) => new Set(one.passed));
  const verdictOf = async (mutant: number): Promise<{ verdict: Verdict; by?: string }> => {
    const those = chosen(
      records.filter((_, i) => reach[i]!.has(mutant)),
      effort,
    );
    for (const one of those) {
      startReplay(one.tape);
      const budget = one.fuel * PATIENCE + LEAST_FUEL;
      const wrong = await run(byName.get(one.name)!, mutant, budget);
      if (wrong !== null) return { verdict: isDry ? 'out of fuel' : 'killed', by: one.name };
    }
    return { verdict: those.length === 0 ? 'not reached' : 'survived' };
  };
  process.on('message', async (mutant: number) => {
    const start = performance.now();
    const verdict = await verdictOf(mutant);
    process.send!({ mutant, ...verdict, ms: performance.now() - start });
  });
  process.send!({ ready: true });
}

const [mode, file, effort] = process.argv.slice(2);
await (mode === 'record' ? record(file!) : judge(file!, Number(effort)));
if (mode === 'record') process.disconnect();
