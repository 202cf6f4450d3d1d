/** Model counters of the hot operations are those of the baseline: a deliberate change rewrites it with `bench:counts -- --update`. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { baselineFile, compareCounters, compareInstructions, compareNames } from '../../bench/counts/baseline.ts';
import { countersOf } from '../../bench/counts/counters.ts';
import { HOT_OPERATIONS } from '../../bench/counts/operations.ts';

const baseline = baselineFile.parse(JSON.parse(readFileSync('bench/baseline/counts.json', 'utf8')));

describe('counters against bench/baseline/counts.json', () => {
  it('has every hot operation, and no other', () => {
    expect(Object.keys(baseline.operations).sort()).toEqual(HOT_OPERATIONS.map(({ name }) => name).sort());
  });

  it.each(HOT_OPERATIONS.map((operation) => [operation.name, operation] as const))('%s', (name, operation) => {
    expect(compareCounters(name, baseline.operations[name]?.counters, countersOf(operation))).toEqual([]);
  });
});

describe('comparison', () => {
  it('names a counter that moved, appeared or vanished, and nothing else', () => {
    const found = compareCounters('x', { a: 1, b: 2, c: 3 }, { a: 1, b: 5, d: 4 });
    expect(found.map(({ what, expected, found: now }) => [what, expected, now])).toEqual([
      ['b', '2', '5'],
      ['c', '3', '0'],
      ['d', '0', '4'],
    ]);
  });

  it('misses an operation on either side', () => {
    expect(compareCounters('x', undefined, { a: 1 })).toHaveLength(1);
    expect(compareNames(['a', 'b'], ['b', 'c']).map(({ operation }) => operation)).toEqual(['a']);
  });

  it.each([
    [100, 101, 0],
    [100, 99, 0],
    [100, 101.1, 1],
    [100, 98.9, 1],
    [null, 5, 1],
  ])('instructions %s, now %s: %s deviations', (expected, found, count) => {
    expect(compareInstructions('x', expected, found)).toHaveLength(count);
  });
});
