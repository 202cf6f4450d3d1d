/** `seamline stress` as a process: signals, and a run that somebody else ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Bundle, bundleCli } from './stress-bundle.ts';

let bundle: Bundle;
beforeAll(() => {
  bundle = bundleCli();
});
afterAll(() => bundle.remove());
const runs: Run[] = [];
afterEach(() => {
  for (const run of runs.splice(0)) run.child.kill('SIGKILL');
});

const ENDLESS = ['stress', '--ops', '1e15', '--footprint', '1MiB'];
/** What a terminal would say of itself. */
const TERMINAL = 'Object.assign(process.stdout, { isTTY: true, columns: 120 })';
/** Says when the command has begun to listen: before, a signal ends any process of Node. */
const SAY_READY = "process.on('newListener', (event) => { if (event === 'SIGINT') process.stderr.write('ready'); })";

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

class Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], before = '') {
    const preload = ['--import', `data:text/javascript,${encodeURIComponent(before)}`];
    this.child = spawn(process.execPath, [...preload, bundle.main, ...args], { env: { ...process.env, TERM: 'xterm' } });
    this.child.stdout!.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    runs.push(this);
    this.ended = new Promise((resolve) => this.child.on('close', (code, signal) => resolve({ code, signal })));
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('Ctrl-C', () => {
  it('ends a run on a terminal with the results so far', async () => {
    const run = new Run(ENDLESS, TERMINAL);
    await until(() => / [1-9][\d.]* [kM] of 1\.00 P /.test(run.stdout));
    const pressed = performance.now();
    run.child.kill('SIGINT');
    expect(await run.ended).toEqual({ code: 130, signal: null });
    // 200 ms on a machine that is not busy with other tests.
    expect(performance.now() - pressed).toBeLessThan(5000);
    expect(run.stderr).toBe('');
    const results = run.stdout.slice(run.stdout.lastIndexOf('\u001b[2K'));
    expect(results).toMatch(/incomplete.*: interrupted after [\d,]+ of 1,000,000,000,000,000 operations/);
    expect(results).toMatch(/digest.* [0-9a-f]{64}\n/);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s leaves whole JSON behind, and status %i', async (signal, code) => {
    const run = new Run([...ENDLESS, '--json'], SAY_READY);
    await until(() => run.stderr === 'ready');
    run.child.kill(signal);
    expect(await run.ended).toEqual({ code, signal: null });
    expect(run.stderr).toBe('ready');
    const report = JSON.parse(run.stdout);
    expect(report).toMatchObject({ complete: false, stopped: { reason: 'interrupted', signal }, requested: 1e15 });
    const shards: { operations: number }[] = report.shards;
    expect(report.operations).toBe(shards.reduce((sum, { operations }) => sum + operations, 0));
  });

  it('arrives twice from npx, and is one all the same', async () => {
    const run = new Run([...ENDLESS, '--json'], SAY_READY);
    await until(() => run.stderr === 'ready');
    run.child.kill('SIGINT');
    run.child.kill('SIGINT');
    expect(await run.ended).toEqual({ code: 130, signal: null });
    expect(JSON.parse(run.stdout).complete).toBe(false);
  });
});

describe('a reader that goes away', () => {
  it('is no failure', async () => {
    const run = new Run(['stress', '--ops', '1000', '--footprint', '1MiB']);
    run.child.stdout!.destroy();
    expect(await run.ended).toEqual({ code: 0, signal: null });
    expect(run.stderr).toBe('');
  });
});
