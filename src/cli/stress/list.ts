/** `stress --list`: what a program may be made of. */
import {
  STRESS_FAULTS,
  STRESS_OPERATIONS,
  STRESS_PATTERNS,
  STRESS_PRESETS,
  type StressPatternTerm,
} from '../../lab/stress/index.ts';
import type { Output } from '../output.ts';
import { programJson } from './report.ts';

/** Patterns with their numbers, operations, presets and faults, a line each. */
export function printList(output: Output): void {
  const section = (title: string, rows: readonly (readonly [string, string])[]): void => {
    output.table(
      [{ title }, { title: '' }],
      rows.map(([name, text]) => [output.colors.bold(name), text]),
    );
  };
  section(
    'patterns',
    STRESS_PATTERNS.map((pattern) => [usage(pattern), describe(pattern)]),
  );
  output.line();
  section(
    'operations',
    STRESS_OPERATIONS.map(({ name, description }) => [name, description]),
  );
  output.line();
  section(
    'presets',
    STRESS_PRESETS.map(({ name, description }) => [name, description]),
  );
  output.line();
  section(
    'faults',
    STRESS_FAULTS.map(({ name, description }) => [name, description]),
  );
}

const usage = ({ name, parameters }: StressPatternTerm): string =>
  [name, ...parameters.map((parameter) => parameter.name.toUpperCase())].join(':');

function describe({ description, parameters }: StressPatternTerm): string {
  const numbers = parameters.map(
    (parameter) => `${parameter.name.toUpperCase()}: ${parameter.description} (default: ${parameter.default})`,
  );
  return [description, ...numbers].join('; ');
}

export const listJson = (): unknown => ({
  schema: 'seamline/stress-list/2',
  patterns: STRESS_PATTERNS,
  operations: STRESS_OPERATIONS,
  presets: STRESS_PRESETS.map((preset) => ({ ...preset, program: programJson(preset.program) })),
  faults: STRESS_FAULTS,
});
