// node scripts/readme-output.mjs [--check]: fills README's blocks with what the built command prints; --check only compares.
// What is left out is left out by the rules below, and what differs from host to host (wall time) always is.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const CLI = 'dist/src/cli/main.js';
/** Columns: prose is wrapped, steps are cut. */
const WIDTH = { prose: 120, step: 140 };
/** Parts of the output by their first word; they are set apart by blank lines. */
const KEPT_PARTS = /^(phase|MRTD|causal|cause)\b/;
const STEP = /^(?<phase>\S+) +(?<name>.+?) +[\d.,]+ ms +(?<seamcalls>[\d,]*) +(?<outcome>ok|failed|skipped|LP lost)/;

const parse = (line) => STEP.exec(line)?.groups;

/** The main job: a system call is left out when it ended in no SEAMCALL, or when another of its name has been shown. */
function essentialSteps([title, ...lines]) {
  const shown = new Set();
  const kept = lines.filter((line) => {
    const { phase, name, seamcalls } = parse(line) ?? {};
    if (!name?.startsWith('KVM_')) return true;
    const call = name.replace(/ × \d+$/, '');
    if (phase !== 'vmm' || seamcalls === '' || shown.has(call)) return false;
    return shown.add(call);
  });
  return [title, ...kept, `… ${lines.length - kept.length} steps left out: system calls without a SEAMCALL, or more of the same`];
}

/** A what-if: the last step that went well, and everything from the first on that did not. */
function failedSteps([title, ...lines]) {
  const failed = lines.findIndex((line) => !['ok', undefined].includes(parse(line)?.outcome));
  const from = Math.max(0, failed < 0 ? lines.length - 1 : failed - 1);
  return [title, `… ${from} steps left out`, ...lines.slice(from)];
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
  const kept = parts.map((part) =>
    part.startsWith('phase') ? steps(part.split('\n')).map(clip) : part.split('\n').flatMap(wrap),
  );
  return [...kept, verdict.flatMap(wrap)].map((part) => part.join('\n')).join('\n\n');
}

/** Steps keep to their line. */
const clip = (line) => (line.length > WIDTH.step ? `${line.slice(0, WIDTH.step - 1).trimEnd()}…` : line).trimEnd();

/** Prose goes on under itself. */
function wrap(line) {
  const indent = ' '.repeat(/^ *(\d+\. |\w+: +\w+ +)?/.exec(line)[0].length);
  const lines = [];
  let rest = line.trimEnd();
  while (rest.length > WIDTH.prose) {
    const at = rest.lastIndexOf(' ', WIDTH.prose);
    if (at <= indent.length) break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = indent + rest.slice(at + 1);
  }
  return [...lines, rest];
}

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
