/** Where and with what a run was made: commit, machine, runtime, artifact, and how noisy it was. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import { coreBytes } from '../../bindings/index.ts';
import type { ResultFile } from './result-file.ts';
import { random } from './workload.ts';

function git(...args: string[]): string {
  return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** A tree without git (a tarball) is called `unknown` and dirty. */
export function commit(): ResultFile['commit'] {
  try {
    const [sha = '', parents = '', date = ''] = git('log', '-1', '--format=%H%n%P%n%cI').split('\n');
    const dirty = git('status', '--porcelain', '--untracked-files=no') !== '';
    return { sha, parents: parents.split(' ').filter(Boolean), date, dirty };
  } catch {
    return { sha: 'unknown', parents: [], date: '', dirty: true };
  }
}

/** The id says which results may be compared; it names nobody's host. */
export function host(): ResultFile['machine'] {
  const cpu = os.cpus()[0]?.model.trim() ?? 'unknown';
  const facts = { cpu, cores: os.cpus().length, mem: os.totalmem(), os: `${os.type()} ${os.release()}` };
  const hash = createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 8);
  return { id: `${os.arch()}-${facts.cores}c-${hash}`, ...facts };
}

export function runtime(): ResultFile['runtime'] {
  return { node: process.version, v8: process.versions.v8, flags: [...process.execArgv] };
}

export function artifact(): ResultFile['artifact'] {
  const wasm = coreBytes();
  const asc = createRequire(import.meta.url).resolve('assemblyscript/package.json');
  return {
    wasmSha256: createHash('sha256').update(wasm).digest('hex'),
    wasmBytes: wasm.length,
    asc: JSON.parse(readFileSync(asc, 'utf8')).version,
  };
}

const PROBE_OPERATIONS = 1 << 20;
const PROBE_BYTES = 1 << 20;
const PROBE_COPIES = 32;

function probeLoop(): number {
  const next = random(1);
  let sum = 0;
  const start = performance.now();
  for (let i = 0; i < PROBE_OPERATIONS; i++) sum ^= next();
  const ns = ((performance.now() - start) * 1e6) / PROBE_OPERATIONS;
  return sum === 0 ? Number.NaN : ns;
}

function probeSet(source: Uint8Array, target: Uint8Array): number {
  const start = performance.now();
  for (let i = 0; i < PROBE_COPIES; i++) target.set(source);
  return (PROBE_BYTES * PROBE_COPIES) / ((performance.now() - start) * 1e6);
}

/** A fixed loop and a fixed copy: their spread is the machine's, not the core's. */
export function noiseProbe(): ResultFile['noiseProbe'] {
  const source = new Uint8Array(PROBE_BYTES).fill(1);
  const target = new Uint8Array(PROBE_BYTES);
  probeLoop();
  probeSet(source, target);
  return {
    ns_per_op: Array.from({ length: 11 }, probeLoop),
    set_gb_per_s: Array.from({ length: 11 }, () => probeSet(source, target)),
  };
}
