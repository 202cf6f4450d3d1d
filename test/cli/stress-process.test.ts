/** `seamline stress` as a process: signals, and a run that somebody else ends. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
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
const TERMINAL = 'Object.assign(process.stderr, { isTTY: true, columns: 200 })';
/** Says when the command has begun to listen, at its very beginning and again for the run. */
const LISTENING = 'ready';
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
    await until(() => / [1-9][\d.]* [kM] of 1\.00 P /.test(run.stderr));
    const pressed = performance.now();
    run.child.kill('SIGINT');
    expect(await run.ended).toEqual({ code: 130, signal: null });
    // 200 ms on a machine that is not busy with other tests.
    expect(performance.now() - pressed).toBeLessThan(5000);
    expect(run.stderr.endsWith('\u001b[2K')).toBe(true);
    expect(run.stdout).toMatch(/incomplete.*: interrupted after [\d,]+ of 1,000,000,000,000,000 operations .*; no digest: /);
    expect(run.stdout).not.toMatch(/[0-9a-f]{64}/);
  });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s leaves whole JSON behind, and status %i', async (signal, code) => {
    const run = new Run([...ENDLESS, '--json'], SAY_READY);
    await until(() => run.stderr === LISTENING + LISTENING);
    run.child.kill(signal);
    expect(await run.ended).toEqual({ code, signal: null });
    expect(run.stderr).toBe(LISTENING + LISTENING);
    const report = JSON.parse(run.stdout);
    expect(report).toMatchObject({ complete: false, stopped: { reason: 'interrupted', signal }, requested: 1e15 });
    expect(report).toMatchObject({ digest: null, provenanceDigest: null, stopped: { message: `interrupted by ${signal}` } });
    const shards: { operations: number }[] = report.shards;
    expect(report.operations).toBe(shards.reduce((sum, { operations }) => sum + operations, 0));
  });

  it('is heard before anything has been loaded', async () => {
    const run = new Run([...ENDLESS, '--json'], SAY_READY);
    await until(() => run.stderr.startsWith(LISTENING));
    run.child.kill('SIGINT');
    expect(await run.ended).toEqual({ code: 130, signal: null });
    expect(JSON.parse(run.stdout)).toMatchObject({ complete: false, stopped: { reason: 'interrupted', signal: 'SIGINT' } });
  });

  it('is heard while memory is prepared, which the bar shows', async () => {
    const eager = ['stress', '--set', 'hw.crypto=eager', '--footprint', '64GiB', '--workers', '1'];
    const run = new Run(eager, TERMINAL);
    await until(() => /preparing \d+ %/.test(run.stderr));
    const pressed = performance.now();
    run.child.kill('SIGINT');
    expect(await run.ended).toEqual({ code: 130, signal: null });
    // Preparing that shard takes far more than ten times as long.
    expect(performance.now() - pressed).toBeLessThan(5000);
    expect(run.stdout).toMatch(/interrupted after 0 of 100,000,000 operations \(0 %\); no digest: nothing has been done/);
  });

  it('arrives twice from npx, and is one all the same', async () => {
    const run = new Run([...ENDLESS, '--json'], SAY_READY);
    await until(() => run.stderr === LISTENING + LISTENING);
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

describe('a host that has no room', () => {
  /** In a shell of its own, which sets the scene; the command follows as "$@". */
  const inShell = (scene: string, ...args: string[]): Ended & { stdout: string; stderr: string } => {
    const command = [process.execPath, bundle.main, 'stress', '--footprint', '1MiB', '--ops', '1000', ...args];
    const { status, signal, stdout, stderr } = spawnSync('sh', ['-c', scene, 'sh', ...command], { encoding: 'utf8' });
    return { code: status, signal, stdout, stderr };
  };
  const LINE = /^seamline: [^\n]+\n$/;

  it.each([[[]], [['--json']]])('for the output says so in one line: %j', (flags) => {
    const ran = inShell('exec "$@" >/dev/full', ...flags);
    expect(ran).toMatchObject({ code: 2, signal: null, stderr: expect.stringMatching(LINE) });
    expect(ran.stderr).toContain('cannot write the output: no space is left');
  });

  it('for another machine’s address space says so in one line', () => {
    // Node itself takes some GiB of it, a Wasm memory ten more.
    const ran = inShell('ulimit -v 6000000; exec "$@"', '--json', '--workers', '1');
    expect(ran).toMatchObject({ code: 2, signal: null, stderr: expect.stringMatching(LINE) });
    expect(ran.stderr).toMatch(/the host gives no more address space.*: try /);
    expect(JSON.parse(ran.stdout)).toMatchObject({ complete: false, digest: null, stopped: { shortage: 'host' } });
  });

  it('for the directory it stands in says so in one line', () => {
    const lost = join(bundle.directory, 'lost');
    const ran = inShell(`mkdir ${lost} && cd ${lost} && rmdir ${lost} && exec "$@"`);
    expect(ran).toMatchObject({ code: 2, signal: null, stdout: '', stderr: expect.stringMatching(LINE) });
    expect(ran.stderr).toContain('the current directory does not exist any more');
  });
});
