// node scripts/coverage-assembly.mjs: runs the core's tests on a build of assembly/ that counts, and says what no machine reached.
// Writes coverage/assembly.lcov and coverage/assembly.json; fails below the floors. SEAMLINE_SEQUENCES: length of the property test.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CORE_ARGS } from './transforms/compile.mjs';
import { compileCounting } from './transforms/coverage.mjs';
import { lcov, missList, shortfalls, summarize, table } from './transforms/coverage-report.mjs';

/** Percent; raise them when the tests get better. */
const FLOORS = { lines: 98, branches: 94 };

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const raw = 'coverage/assembly-raw';
const wasm = 'dist/wasm/core.coverage.wasm';
rmSync(raw, { recursive: true, force: true });
mkdirSync(raw, { recursive: true });
mkdirSync('dist/wasm', { recursive: true });

const { binary, points } = await compileCounting(CORE_ARGS);
writeFileSync(wasm, binary);

const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', '--config', 'scripts/transforms/coverage.vitest.config.ts', '--reporter', 'dot'],
  {
    stdio: 'inherit',
    env: {
      SEAMLINE_SEQUENCES: '500',
      ...process.env,
      SEAMLINE_CORE_WASM: wasm,
      SEAMLINE_COVERAGE: raw,
      SEAMLINE_TEST_REPORT: '',
      NO_COLOR: '1',
    },
  },
);
if (status !== 0) process.exitCode = 1;

const counts = new Array(points.length).fill(0);
for (const file of readdirSync(raw))
  for (const [point, count] of JSON.parse(readFileSync(join(raw, file), 'utf8'))) counts[point] += count;

const summary = summarize(points, counts);
const misses = missList(summary);
writeFileSync('coverage/assembly.lcov', lcov(summary));
writeFileSync(
  'coverage/assembly.json',
  `${JSON.stringify({ schema: 'seamline-assembly-coverage/1', points, counts }, null, 1)}\n`,
);
for (const miss of misses) console.log(`not reached: ${miss}`);
console.log(`\n${table(summary)}`);
for (const line of shortfalls(summary, FLOORS)) {
  console.error(line);
  process.exitCode = 1;
}
