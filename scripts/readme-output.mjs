// node scripts/readme-output.mjs [--check]: fills README's blocks with what the built command prints; --check only compares.
// What is left out is left out by the rules below, and what differs from host to host (wall time) always is.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const CLI = 'dist/src/cli/main.js';
const WIDTH = 120;
/** Parts of the output by their first word; they are set apart by blank lines. */
const KEPT_PARTS = /^(phase|MRTD|causal|cause)\b/;
const STEP = /^(?<phase>\S+) +(?<name>.+?) +[\d.,]+ ms +(?<seamcalls>[\d,]*) +(?<outcome>ok|failed|skipped|LP lost)/;

/** The main job: system calls that end in no SEAMCALL are left out, and of steps of one name all but the first. */
function essentialSteps(lines) {
  const seen = new Set();
  return withGaps(lines, (line) => {
    const { phase, name, seamcalls } = STEP.exec(line)?.groups ?? {};
    if (phase === undefined) return true;
    const repeated = seen.has(`${phase} ${name}`);
    seen.add(`${phase} ${name}`);
    return !repeated && (phase !== 'vmm' || seamcalls !== '');
  });
}

/** A what-if: what did not go well, and what came after it. */
function failedSteps(lines) {
  const from = lines.findIndex((line) => !['ok', undefined].includes(STEP.exec(line)?.groups.outcome));
  return withGaps(lines, (_line, i) => i === 0 || (from >= 0 && i >= from));
}

function withGaps(lines, keep) {
  const marked = lines.map((line, i) => (keep(line, i) ? line : null));
  return marked.flatMap((line, i) => line ?? (marked[i - 1] === null ? [] : ['…']));
}

const BLOCKS = [
  { name: 'boot-output', args: ['boot'], steps: essentialSteps, status: 0 },
  {
    name: 'whatif-output',
    args: ['boot', '--set', 'kernel.wbinvdBeforeKeyConfig=off', '--expect', 'mc'],
    steps: failedSteps,
    status: 0,
  },
];

function screenful({ args, steps, status }) {
  const ran = spawnSync(process.execPath, [CLI, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { ...process.env, NO_COLOR: '1' },
  });
  if (ran.status !== status) throw new Error(`seamline ${args.join(' ')} ended with status ${ran.status}: ${ran.stderr}`);
  const lines = ran.stdout
    .trimEnd()
    .split('\n')
    .filter((line) => !/wall time/.test(line));
  const verdict = lines.filter((line) => line.startsWith('verdict:'));
  const parts = lines
    .filter((line) => !verdict.includes(line))
    .join('\n')
    .split(/\n{2,}/)
    .filter((part) => KEPT_PARTS.test(part));
  const kept = parts.map((part) => (part.startsWith('phase') ? steps(part.split('\n')).join('\n') : part));
  return [...kept, verdict.join('\n')].join('\n\n').split('\n').map(clip).join('\n');
}

const clip = (line) => (line.length > WIDTH ? `${line.slice(0, WIDTH - 1).trimEnd()}…` : line).trimEnd();

function fill(readme, block) {
  const [begin, end] = [`<!-- ${block.name} -->`, `<!-- /${block.name} -->`];
  const [from, to] = [readme.indexOf(begin), readme.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${begin} … ${end}`);
  return `${readme.slice(0, from + begin.length)}\n\`\`\`\n${screenful(block)}\n\`\`\`\n${readme.slice(to)}`;
}

const readme = readFileSync('README.md', 'utf8');
const filled = BLOCKS.reduce(fill, readme);
if (filled === readme) console.log('README.md shows what the command prints');
else if (process.argv.includes('--check')) {
  console.error('README.md does not show what the command prints: npm run build && npm run readme');
  process.exitCode = 1;
} else {
  writeFileSync('README.md', filled);
  console.log('README.md filled');
}
