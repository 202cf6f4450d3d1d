/** scripts/transforms/coverage.mjs on a program whose lines and branches are known. */
import { describe, expect, it } from 'vitest';
import { compileCounting } from '../../scripts/transforms/coverage.mjs';
import { lcov, missList, shortfalls, summarize, table } from '../../scripts/transforms/coverage-report.mjs';

const PROGRAM = `const LIMIT: i32 = 3;

export function clamp(x: i32): i32 {
  if (x < 0 || x == 7) return 0;
  let left = x;
  while (left > LIMIT) left -= 1;
  return left == 2 ? 20 : left;
}

export function name(x: i32): i32 {
  switch (x) {
    case 1:
      return 10;
    case 2:
      return load<u8>(60000, 4);
  }
  if (x > 50) {
    if (x > 60) return 3;
    else return 4;
  }
  return 5;
}

export function unused(): void {}
`;

interface Program {
  clamp(x: number): number;
  name(x: number): number;
  unused(): void;
}

async function reportOn(act: (...programs: Program[]) => void, instances = 1) {
  const { binary, points } = await compileCounting(['program.ts', '--runtime', 'stub'], { 'program.ts': PROGRAM });
  const counts = new Array<number>(points.length).fill(0);
  const env = {
    abort: () => undefined,
    covered: (point: number) => {
      counts[point] += 1;
    },
  };
  const make = (): Program => new WebAssembly.Instance(new WebAssembly.Module(binary), { env }).exports as unknown as Program;
  act(...Array.from({ length: instances }, make));
  return summarize(points, counts);
}

describe('coverage of assembly/', () => {
  it('the counting build computes what the program says', () =>
    reportOn((program) => {
      expect([-1, 7, 1, 2, 9].map((x) => program.clamp(x))).toEqual([0, 0, 1, 20, 3]);
      expect([1, 2, 55, 65, 9].map((x) => program.name(x))).toEqual([10, 0, 4, 3, 5]);
    }));

  it('counts nothing before something runs, and everything afterwards', async () => {
    const nothing = await reportOn(() => undefined);
    expect(nothing).toMatchObject({ lines: { hit: 0, all: 11 }, branches: { hit: 0, all: 13 }, functions: { hit: 0, all: 3 } });
    const everything = await reportOn((program) => {
      for (let x = -1; x < 70; x++) program.clamp(x);
      for (let x = 0; x < 70; x++) program.name(x);
      program.unused();
    });
    expect(missList(everything)).toEqual([]);
    expect(everything).toMatchObject({ lines: { hit: 11 }, branches: { hit: 13 }, functions: { hit: 3 } });
  });

  it('lists each line, arm and function that no machine reached', async () => {
    const summary = await reportOn((program) => {
      program.clamp(2);
      program.name(1);
      program.name(55);
    });
    expect(missList(summary)).toEqual([
      'program.ts:4:24 then',
      'program.ts:6:3 loop body',
      'program.ts:7:27 : arm',
      'program.ts:14:10 case 2',
      'program.ts:15 line',
      'program.ts:17:3 else (none)',
      'program.ts:18:17 then',
      'program.ts:21 line',
      'program.ts:24:17 function unused',
    ]);
  });

  it('counts machines, not executions', async () => {
    const summary = await reportOn((a, b) => {
      for (let i = 0; i < 9; i++) a!.clamp(1);
      b!.clamp(-1);
    }, 2);
    const text = lcov(summary);
    for (const record of ['FNDA:2,clamp', 'DA:4,2', 'DA:5,1', 'DA:11,0', 'LF:11', 'BRF:13'])
      expect(text).toContain(`${record}\n`);
    expect(text).toMatch(/^SF:program\.ts\n[\s\S]*end_of_record\n$/);
  });

  it('fails below a floor only', async () => {
    const summary = await reportOn((program) => {
      program.clamp(2);
    });
    expect(summary.lines).toEqual({ hit: 4, all: 11 });
    expect(table(summary)).toContain('lines   36.4 %       4/11');
    expect(shortfalls(summary, { lines: 36 })).toEqual([]);
    expect(shortfalls(summary, { lines: 37 })).toEqual(['lines: 36.36 % are run, the floor is 37 %']);
  });
});
