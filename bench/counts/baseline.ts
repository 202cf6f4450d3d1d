/** bench/baseline/counts.json: what was counted when the code was last changed on purpose. */
import { z } from 'zod';
import type { Counters } from './counters.ts';
import { COUNTED } from './hot-operation.ts';

export const INSTRUCTION_TOLERANCE = 0.01;

const operation = z.strictObject({
  /** Of `counted` operations. */
  counters: z.record(z.string(), z.int()),
  /** Of one; null when the baseline was written without valgrind. */
  instructions: z.number().positive().nullable(),
});

export const baselineFile = z.strictObject({
  schema: z.literal('seamline-counts/1'),
  counted: z.literal(COUNTED),
  /** Instruction counts are comparable for the same engine and machine code only. */
  engine: z.strictObject({ node: z.string(), arch: z.string() }),
  operations: z.record(z.string(), operation),
});

export type Baseline = z.infer<typeof baselineFile>;

export interface Deviation {
  readonly operation: string;
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

const show = (value: number | undefined): string => (value === undefined ? '–' : String(value));

/** Every counter must be equal, those included that only one side knows. */
export function compareCounters(name: string, expected: Counters | undefined, found: Counters): Deviation[] {
  if (!expected) return [{ operation: name, what: 'operation', expected: '–', found: 'not in the baseline' }];
  const names = [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort();
  return names
    .filter((counter) => expected[counter] !== found[counter])
    .map((counter) => ({
      operation: name,
      what: counter,
      expected: show(expected[counter] ?? 0),
      found: show(found[counter] ?? 0),
    }));
}

/** Operations that the baseline has and the suite lost. */
export function compareNames(expected: readonly string[], found: readonly string[]): Deviation[] {
  return expected
    .filter((name) => !found.includes(name))
    .map((operation) => ({ operation, what: 'operation', expected: 'in the baseline', found: 'gone' }));
}

export function compareInstructions(name: string, expected: number | null | undefined, found: number): Deviation[] {
  if (expected === null || expected === undefined)
    return [{ operation: name, what: 'instructions', expected: 'none yet', found: found.toFixed(1) }];
  if (Math.abs(found - expected) <= INSTRUCTION_TOLERANCE * expected) return [];
  const change = found / expected - 1;
  const sign = change > 0 ? '+' : '';
  return [
    {
      operation: name,
      what: 'instructions',
      expected: expected.toFixed(1),
      found: `${found.toFixed(1)} (${sign}${(change * 100).toFixed(1)} %)`,
    },
  ];
}
