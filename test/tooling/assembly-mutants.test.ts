/** scripts/transforms/mutants.mjs on a program whose mutants are known, and what becomes of their verdicts. */
import { describe, expect, it } from 'vitest';
import { compileSwitching, type Mutant } from '../../scripts/transforms/mutants.mjs';
import { draw, type Result, scoreTable, survivors } from '../../scripts/transforms/mutation-report.mjs';

const PROGRAM = `let total: i32 = 0;

function add(x: i32): void {
  total += x;
}

export function sum(from: i32, to: i32, twice: bool): i32 {
  total = 0;
  for (let i = from; i < to; ++i) add(i);
  if (twice && total != 0) total = total << 1;
  return load<i32>(memory.data(8), 4) + total;
}
`;

interface Sum {
  sum(from: number, to: number, twice: boolean): number;
}
type Judge = (program: Sum) => void;

async function compiled() {
  const { binary, mutants } = await compileSwitching(['program.ts', '--runtime', 'stub', '-O1'], {
    files: { 'program.ts': PROGRAM },
  });
  const module = new WebAssembly.Module(binary);
  const passed = new Set<number>();
  const instantiate = (mutant: number): Sum => {
    const env = {
      mutant: new WebAssembly.Global({ value: 'i32' }, mutant),
      fuel: new WebAssembly.Global({ value: 'i64', mutable: true }, 1000n),
      passed: (number: number) => void passed.add(number),
      exhausted: () => {
        throw new Error('out of fuel');
      },
    };
    return new WebAssembly.Instance(module, { env }).exports as unknown as Sum;
  };
  const verdict = (mutant: number, judge: Judge): Result['verdict'] => {
    passed.clear();
    judge(instantiate(-1));
    if (!passed.has(mutant)) return 'not reached';
    try {
      judge(instantiate(mutant));
      return 'survived';
    } catch (error) {
      return String(error).includes('fuel') ? 'out of fuel' : 'killed';
    }
  };
  const results = (judge: Judge): Result[] => mutants.map((mutant, i) => ({ ...mutant, verdict: verdict(i + 1, judge) }));
  return { mutants, instantiate, results };
}

const shown = ({ line, from, to }: Mutant): string => `${line}: ${from} -> ${to}`;

/** Neither doubles nor sums twice. */
const weak: Judge = (program) => {
  expect(program.sum(1, 4, false)).toBe(6);
};
const strong: Judge = (program) => {
  weak(program);
  expect([program.sum(1, 4, true), program.sum(1, 2, true), program.sum(2, 2, true)]).toEqual([12, 2, 0]);
};

describe('mutants of assembly/', () => {
  it('are all in one module; with none on it computes what the program says', async () => {
    const { mutants, instantiate } = await compiled();
    expect(mutants.map(shown)).toEqual([
      '4: total += x -> total -= x',
      '8: total = 0 -> (removed)',
      '8: 0 -> 1',
      '9: i < to -> !(i < to)',
      '9: i < to -> (i) <= (to)',
      '9: ++i -> --i',
      '9: add(i) -> (removed)',
      '10: twice && total != 0 -> !(twice && total != 0)',
      '10: twice && total != 0 -> (twice) || (total != 0)',
      '10: total != 0 -> (total) == (0)',
      '10: 0 -> 1',
      '10: total = total << 1 -> (removed)',
      '10: total << 1 -> (total) >> (1)',
      '10: 1 -> 0',
      '11: load<i32>(memory.data(8), 4) + total -> (load<i32>(memory.data(8), 4)) - (total)',
    ]);
    for (const number of [0, -1]) strong(instantiate(number));
  });

  it('live where no test looks: each is reported with its place and its change', async () => {
    const { results } = await compiled();
    expect(survivors(results(weak))).toEqual([
      'survived: program.ts:8:3 total = 0 -> (removed)',
      'not reached: program.ts:10:16 total != 0 -> (total) == (0)',
      'not reached: program.ts:10:25 0 -> 1',
      'not reached: program.ts:10:28 total = total << 1 -> (removed)',
      'not reached: program.ts:10:36 total << 1 -> (total) >> (1)',
      'not reached: program.ts:10:45 1 -> 0',
    ]);
  });

  it('die where one does; the endless ones run out of fuel', async () => {
    const { results } = await compiled();
    const judged = results(strong);
    expect(survivors(judged)).toEqual([]);
    expect(judged.filter(({ verdict }) => verdict === 'out of fuel').map(shown)).toEqual(['9: ++i -> --i']);
    expect(scoreTable(judged).score).toBe(100);
  });
});

describe('the score', () => {
  const mutant = (file: string, line: number, verdict: Result['verdict']): Result => ({
    file,
    line,
    column: 2,
    from: 'a\n  + b',
    to: 'a - b',
    verdict,
  });
  const judged = [
    mutant('b.ts', 1, 'survived'),
    mutant('a.ts', 9, 'not reached'),
    mutant('a.ts', 5, 'timeout'),
    mutant('a.ts', 3, 'killed'),
  ];

  it('counts what a test notices, endless mutants among it', () => {
    const { text, score } = scoreTable(judged);
    expect(score).toBe(50);
    expect(text).toMatch(/^a\.ts +66\.7 % +3 +2 +1 +0 +1$/m);
    expect(text).toMatch(/^b\.ts +0\.0 % +1 +0 +0 +1 +0$/m);
    expect(text).toMatch(/^in all +50\.0 % +4 +2 +1 +1 +1$/m);
  });

  it('names the survivors in source order, one line each', () => {
    expect(survivors(judged)).toEqual(['not reached: a.ts:9:2 a + b -> a - b', 'survived: b.ts:1:2 a + b -> a - b']);
  });

  it('is of the same sample for the same seed', () => {
    const numbers = Array.from({ length: 100 }, (_, i) => i + 1);
    const sample = draw(numbers, 10, 7);
    expect(new Set(sample).size).toBe(10);
    expect(sample).toEqual(draw(numbers, 10, 7));
    expect(sample).not.toEqual(draw(numbers, 10, 8));
    expect(draw(numbers, 1000, 1).sort((a, b) => a - b)).toEqual(numbers);
  });
});
