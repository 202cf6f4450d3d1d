/** From `import` to the first operation in a fresh process, and the size of what is loaded. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { coreBytes } from '../../bindings/index.ts';
import { type Bench, expectEqual } from '../harness/bench.ts';
import { Unavailable } from '../harness/run.ts';

/** The package as its users import it. */
const BUILT = 'dist/bindings/index.js';
const PROGRAM = 'bench/suites/first-operation.mjs';

/** Nanoseconds in one fresh process, as it measures itself; its answer is checked. */
function firstOperation(): number {
  const run = spawnSync(process.execPath, [PROGRAM, pathToFileURL(resolve(BUILT)).href], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`the fresh process failed: ${run.stderr.trim().split('\n')[0]}`);
  const { ns, answer } = JSON.parse(run.stdout) as { ns: number; answer: string };
  expectEqual('what the first process read', answer, '0:c3:c3');
  return ns;
}

export const start: readonly Bench[] = [
  {
    name: 'start/import-to-first-operation',
    params: {},
    target: '≤ 10 ms',
    run: (protocol) => {
      if (!existsSync(BUILT)) throw new Unavailable(`${BUILT} is not there: npm run build first`);
      firstOperation();
      const samples = Array.from({ length: protocol.processes }, () => firstOperation() / 1e6);
      return { headline: { unit: 'ms', better: 'smaller', samples } };
    },
  },
  {
    name: 'start/wasm-size',
    params: {},
    target: '≤ 64 KiB',
    run: () => ({ headline: { unit: 'KiB', better: 'smaller', exact: true, samples: [coreBytes().length / 1024] } }),
  },
];
