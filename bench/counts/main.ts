/** `npm run bench:counts`: counts, compares with the baseline, or rewrites it. */
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { type CountsOptions, countsOptions, Misuse } from '../harness/options.ts';
import { runProgram } from '../harness/program.ts';
import { progress } from '../harness/progress.ts';
import { bareTable, tableText } from '../harness/table.ts';
import { type Baseline, baselineFile, compareCounters, compareInstructions, compareNames, type Deviation } from './baseline.ts';
import { instructionsPerOperation, requireValgrind } from './callgrind.ts';
import { countersOf } from './counters.ts';
import { COUNTED, type HotOperation } from './hot-operation.ts';
import { HOT_OPERATIONS } from './operations.ts';

const BASELINE = 'bench/baseline/counts.json';

/** Null when there is none, or none that can be read and it is about to be rewritten. */
function readBaseline(rewriting: boolean): Baseline | null {
  try {
    return baselineFile.parse(JSON.parse(readFileSync(BASELINE, 'utf8')));
  } catch (error) {
    if (rewriting || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Misuse(`${BASELINE} cannot be read: mend it, or write it anew with --update`);
  }
}

function choose(filter: string | null): readonly HotOperation[] {
  const words = (filter ?? '').split(/\s+/).filter(Boolean);
  const chosen = HOT_OPERATIONS.filter(({ name }) => words.every((word) => name.includes(word)));
  if (chosen.length === 0)
    throw new Misuse(`no operation matches '${filter}': ${HOT_OPERATIONS.map(({ name }) => name).join('; ')}`);
  return chosen;
}

/** Instructions of all operations, as many processes at a time as there are cores. */
async function countInstructions(operations: readonly HotOperation[]): Promise<Map<string, number>> {
  const bar = progress(operations.length, process.stderr);
  const waiting = [...operations];
  const counts = new Map<string, number>();
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      bar.next(next.name);
      counts.set(next.name, await instructionsPerOperation(next.name, next.operations));
    }
  };
  try {
    await Promise.all(Array.from({ length: os.availableParallelism() }, worker));
  } finally {
    bar.stop();
  }
  return counts;
}

const engine = { node: process.version, arch: os.arch() };

function sameEngine(baseline: Baseline): boolean {
  return baseline.engine.node === engine.node && baseline.engine.arch === engine.arch;
}

async function count(options: CountsOptions): Promise<Baseline> {
  const chosen = choose(options.filter);
  const counters = new Map(chosen.map((operation) => [operation.name, countersOf(operation)]));
  const instructions = options.counters ? new Map<string, number>() : await countInstructions(chosen);
  const round = (value: number | undefined): number | null => (value === undefined ? null : Number(value.toFixed(1)));
  return {
    schema: 'seamline-counts/1',
    counted: COUNTED,
    engine,
    operations: Object.fromEntries(
      chosen.map(({ name }) => [name, { counters: { ...counters.get(name)! }, instructions: round(instructions.get(name)) }]),
    ),
  };
}

/** Without valgrind the instruction counts stay as they were. */
function merged(found: Baseline, old: Baseline | null, countersOnly: boolean): Baseline {
  if (!countersOnly || !old) return found;
  const operations = Object.entries(found.operations).map(([name, { counters }]) => [
    name,
    { counters, instructions: old.operations[name]?.instructions ?? null },
  ]);
  return { ...found, engine: old.engine, operations: Object.fromEntries(operations) };
}

function compare(found: Baseline, baseline: Baseline, options: CountsOptions): Deviation[] {
  const withInstructions = !options.counters && sameEngine(baseline);
  const own = Object.entries(found.operations).flatMap(([name, { counters, instructions }]) => [
    ...compareCounters(name, baseline.operations[name]?.counters, counters),
    ...(withInstructions ? compareInstructions(name, baseline.operations[name]?.instructions, instructions!) : []),
  ]);
  const gone = options.filter ? [] : compareNames(Object.keys(baseline.operations), Object.keys(found.operations));
  return [...own, ...gone];
}

function print(found: Baseline): void {
  const grid = bareTable(['operation', 'instructions', `counters of ${COUNTED} operations`], ['left', 'right', 'left']);
  for (const [name, { counters, instructions }] of Object.entries(found.operations)) {
    const moved = Object.entries(counters).map(([counter, value]) => `${counter} ${value}`);
    grid.push([name, instructions === null ? '–' : instructions.toLocaleString('en-US'), moved.join(', ')]);
  }
  console.log(tableText(grid));
}

function report(deviations: readonly Deviation[], compared: string): number {
  for (const { operation, what, expected, found } of deviations) {
    console.log(`${operation}: ${what}: baseline ${expected}, now ${found}`);
  }
  if (deviations.length === 0) console.log(`\nequal to the baseline: ${compared}`);
  else console.log(`\n${deviations.length} deviations from ${BASELINE}: mend the code, or --update and say why in the commit`);
  return deviations.length === 0 ? 0 : 1;
}

await runProgram('bench:counts', async () => {
  const options = countsOptions(process.argv.slice(2));
  if (!options) return 0;
  choose(options.filter);
  if (!options.counters) requireValgrind();
  const baseline = readBaseline(options.update);
  if (!baseline && !options.update) throw new Misuse(`${BASELINE} is not there: write it with --update`);
  const found = await count(options);
  print(found);
  if (options.update) {
    writeFileSync(BASELINE, `${JSON.stringify(merged(found, baseline, options.counters), undefined, 2)}\n`);
    console.log(`\nwritten: ${BASELINE}`);
    return 0;
  }
  const instructionsToo = !options.counters && sameEngine(baseline!);
  if (!options.counters && !instructionsToo)
    console.log(`\ninstructions are not compared: the baseline is of Node ${baseline!.engine.node} on ${baseline!.engine.arch}`);
  return report(compare(found, baseline!, options), instructionsToo ? 'counters, and instructions within 1 %' : 'counters');
});
