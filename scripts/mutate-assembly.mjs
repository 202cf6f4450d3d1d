// node scripts/mutate-assembly.mjs [--only PREFIX,…] [--sample N] [--seed S] [--effort MS] [--minutes N] [--workers N] [--least PERCENT]
// [--out FILE] [--again FILE]
// Compiles all mutants of assembly/ into one module, lets the core's tests judge each, and lists those that no test notices.
// --effort: milliseconds of tests (as they run on the plain core) for one mutant. --again: only
// those that survived in an earlier run's FILE. SEAMLINE_SEQUENCES: length of the property test.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CORE_ARGS } from './transforms/compile.mjs';
import { coreTests } from './transforms/core-tests.mjs';
import { bundleJudge } from './transforms/judge-bundle.mjs';
import { judgeAll, recordBaseline } from './transforms/judge-pool.mjs';
import { compileSwitching } from './transforms/mutants.mjs';
import { draw, isKilled, scoreTable, survivors } from './transforms/mutation-report.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: 'assembly/' },
    sample: { type: 'string' },
    seed: { type: 'string', default: '1' },
    again: { type: 'string' },
    effort: { type: 'string', default: '3000' },
    minutes: { type: 'string', default: '600' },
    workers: { type: 'string', default: '2' },
    least: { type: 'string', default: '0' },
    out: { type: 'string', default: 'coverage/mutants.json' },
  },
});

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
process.env.SEAMLINE_SEQUENCES ??= '400';
const work = 'coverage/mutation';
mkdirSync(work, { recursive: true });
mkdirSync(dirname(options.out), { recursive: true });

/** Which mutants an earlier run left alive. */
function survivedIn(file) {
  const key = ({ file, line, column, from, to }) => JSON.stringify([file, line, column, from, to]);
  const { results } = JSON.parse(readFileSync(file, 'utf8'));
  const alive = new Set(results.filter((result) => !isKilled(result)).map(key));
  return (mutant) => alive.has(key(mutant));
}

const seconds = () => `${Math.round(performance.now() / 1000)} s`;
const prefixes = options.only.split(',');
const isChosen = (path) => prefixes.some((prefix) => path.startsWith(prefix));
const { binary, mutants } = await compileSwitching([...CORE_ARGS, '--maximumMemory', '8192'], { isChosen });
const bundle = join(work, 'judge.mjs');
await bundleJudge(coreTests(), binary, bundle);
console.log(`${mutants.length} mutants compiled, ${seconds()}`);

// What the tests do on the plain core stays true as long as the core, the tests and the judge do.
const baseline = join(work, `baseline-${createHash('sha256').update(readFileSync(bundle)).digest('hex').slice(0, 16)}.bin`);
if (!existsSync(baseline)) {
  for (const file of readdirSync(work)) if (file.endsWith('.bin')) rmSync(join(work, file));
  const { tests, ms, unfit } = await recordBaseline(bundle, baseline);
  console.log(`${tests} tests run on the core, in ${Math.round(ms)} ms without the oracle; ${seconds()}`);
  for (const line of unfit) console.error(`left out: ${line}`);
}

const isAsked = options.again ? survivedIn(options.again) : () => true;
const all = mutants.flatMap((mutant, i) => (isAsked(mutant) ? [i + 1] : []));
// Shuffled: a run that is cut short says something of all files.
const numbers = draw(all, Number(options.sample ?? all.length), Number(options.seed));
const progress = (done, all) => {
  if (done % 100 === 0 || done === all) console.log(`${done}/${all} judged, ${seconds()}`);
};
const verdicts = await judgeAll(
  {
    bundle,
    file: baseline,
    effort: Number(options.effort),
    workers: Number(options.workers),
    minutes: Number(options.minutes),
  },
  numbers,
  progress,
);
const results = verdicts.map(({ mutant, verdict, by, ms: took }) => ({
  ...mutants[mutant - 1],
  verdict,
  by,
  ms: Math.round(took),
}));

writeFileSync(options.out, `${JSON.stringify({ schema: 'seamline-assembly-mutants/1', results }, null, 1)}\n`);
for (const line of survivors(results)) console.log(line);
const { text, score } = scoreTable(results);
console.log(`\n${text}`);
if (score < Number(options.least)) {
  console.error(`${score.toFixed(2)} % of the mutants are killed, the floor is ${options.least} %`);
  process.exitCode = 1;
}
