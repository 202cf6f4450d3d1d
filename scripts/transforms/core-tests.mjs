// The test files that judge assembly/: all that run the core in this process.
import { readdirSync } from 'node:fs';

/** Browser suites run in a browser, shared ones are imported by others, and those of crypto/ compile assembly/crypto by itself. */
const ELSEWHERE = /\.browser\.test\.ts$|^test\/core\/(?:shared|crypto)\//;

/** Stress programs, of which an oracle says what they answer, and the model counters of every hot operation. */
const BESIDE = ['test/lab/stress/oracle.test.ts', 'test/bench/counts.test.ts'];

export const coreTests = (directory = 'test/core') => [
  ...readdirSync(directory, { recursive: true })
    .map((name) => `${directory}/${name}`)
    .filter((path) => path.endsWith('.test.ts') && !ELSEWHERE.test(path))
    .sort(),
  ...BESIDE,
];
