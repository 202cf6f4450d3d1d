// The test files that judge assembly/: all that run the core in this process.
import { readdirSync } from 'node:fs';

/** Browser suites run in a browser, shared ones are imported by others, and those of crypto/ compile assembly/crypto by itself. */
const ELSEWHERE = /\.browser\.test\.ts$|^test\/core\/(?:shared|crypto)\//;

/** Stress programs run in the core, and an oracle says what they answer. */
const STRESS = 'test/lab/stress/oracle.test.ts';

export const coreTests = (directory = 'test/core') => [
  ...readdirSync(directory, { recursive: true })
    .map((name) => `${directory}/${name}`)
    .filter((path) => path.endsWith('.test.ts') && !ELSEWHERE.test(path))
    .sort(),
  STRESS,
];
