/** Instructions an operation: callgrind counts two runs of different length, so that start-up and compilation cancel. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Misuse } from '../harness/options.ts';

const VALGRIND = ['--tool=callgrind', '--smc-check=all-non-file', '--callgrind-out-file=/dev/null'];
/** One thread, one compiler tier for Wasm, one seed: the same instructions in every run. */
const NODE = [
  '--predictable',
  '--predictable-gc-schedule',
  '--single-threaded',
  '--hash-seed=1',
  '--random-seed=1',
  '--no-liftoff',
  '--no-wasm-tier-up',
];
const PROGRAM = 'dist/bench/hot-op.mjs';
const LONGER = 4;

const run = promisify(execFile);

/** Throws {@link Misuse} where valgrind is not installed. */
export function requireValgrind(): void {
  if (spawnSync('valgrind', ['--version']).status !== 0)
    throw new Misuse('valgrind is not installed: apt-get install valgrind, or count model events alone with --counters');
}

/** All instructions of a process that does the operation `count` times. */
async function instructionsOf(name: string, count: number): Promise<number> {
  const { stderr } = await run('valgrind', [...VALGRIND, process.execPath, ...NODE, PROGRAM, name, String(count)], {
    maxBuffer: 2 ** 26,
  });
  const [, total] = /Collected : (\d+)/.exec(stderr) ?? [];
  if (total === undefined) throw new Error(`callgrind gave no count for ${name}: ${stderr.trim().split('\n').at(-1)}`);
  return Number(total);
}

export async function instructionsPerOperation(name: string, operations: number): Promise<number> {
  const [short, long] = [await instructionsOf(name, operations), await instructionsOf(name, operations * LONGER)];
  return (long - short) / (operations * (LONGER - 1));
}
