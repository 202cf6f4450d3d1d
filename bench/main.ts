/** `npm run bench`: measures, writes one result file, prints targets beside results. */
import picocolors from 'picocolors';
import { idOf } from './harness/bench.ts';
import { artifact, commit, host, noiseProbe, runtime } from './harness/environment.ts';
import { type BenchOptions, benchOptions, Misuse } from './harness/options.ts';
import { runProgram } from './harness/program.ts';
import { progress } from './harness/progress.ts';
import { DEFAULT, QUICK } from './harness/protocol.ts';
import { type ResultFile, type ResultRow, resultFile, save } from './harness/result-file.ts';
import { runBench, select } from './harness/run.ts';
import { summaryLine, table } from './harness/table.ts';
import { suites } from './suites/index.ts';

const RESULTS = 'bench/results';

async function measure(options: BenchOptions): Promise<ResultFile> {
  const protocol = options.quick ? QUICK : DEFAULT;
  const chosen = select(suites, options.filter, options.quick);
  const bar = progress(chosen.length, process.stderr);
  const probe = noiseProbe();
  const benchmarks: ResultRow[] = [];
  for (const bench of chosen) {
    bar.next(idOf(bench));
    benchmarks.push(await runBench(bench, protocol));
    globalThis.gc?.();
  }
  bar.stop();
  return resultFile.parse({
    schema: 'seamline-bench/1',
    date: new Date().toISOString(),
    commit: commit(),
    machine: host(),
    runtime: runtime(),
    artifact: artifact(),
    protocol: { ...protocol, quick: options.quick, filter: options.filter },
    noiseProbe: probe,
    benchmarks,
  });
}

/** 1 when an answer was wrong or a bench broke; a missed target alone is a figure, unless --enforce. */
function exitStatus(rows: readonly ResultRow[], enforce: boolean): number {
  const failing = enforce ? ['wrong', 'failed', 'miss'] : ['wrong', 'failed'];
  return rows.some((row) => failing.includes(row.verdict)) ? 1 : 0;
}

await runProgram('bench', async () => {
  const options = benchOptions(process.argv.slice(2));
  if (!options) return 0;
  const chosen = select(suites, options.filter, options.quick);
  if (chosen.length === 0) throw new Misuse(`no bench matches '${options.filter}': --list shows their names`);
  if (options.list) {
    for (const bench of chosen) console.log(idOf(bench));
    return 0;
  }
  const result = await measure(options);
  const path = save(result, RESULTS);
  if (options.json) console.log(JSON.stringify(result, undefined, 1));
  else {
    console.log(table(result.benchmarks, picocolors.createColors(process.stdout.isTTY && picocolors.isColorSupported)));
    console.log(`\n${summaryLine(result.benchmarks)}\n${path}`);
  }
  return exitStatus(result.benchmarks, options.enforce);
});
