import type { Mutant } from './mutants.mjs';

export interface Result extends Mutant {
  readonly verdict: 'killed' | 'out of fuel' | 'timeout' | 'crashed' | 'survived' | 'not reached';
}
export function draw(numbers: readonly number[], count: number, seed: number): number[];
export function survivors(results: readonly Result[]): string[];
export function scoreTable(results: readonly Result[]): { text: string; score: number };
