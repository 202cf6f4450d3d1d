/** The built command as a process: what only a process shows. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { manifest, root } from './consumer.ts';

const cli = join(root, 'dist/src/cli/main.js');
const directory = mkdtempSync(join(tmpdir(), 'seamline-built-'));
const seamline = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], { cwd: directory, encoding: 'utf8' });
  return { status, stdout, stderr };
};

beforeAll(() => {
  if (!existsSync(cli)) throw new Error('no dist/: run `npm run build` before the package tests');
});
afterAll(() => rmSync(directory, { recursive: true }));

describe('the built command', () => {
  it('boots, and writes a trace', () => {
    const { status, stdout, stderr } = seamline('boot', '--json', '--trace', 'boot.trace.json');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ schema: 'seamline/boot/1', verdict: { kind: 'ok' } });
    expect(readdirSync(directory)).toEqual(['boot.trace.json']);
    rmSync(join(directory, 'boot.trace.json'));
  });

  it.each([
    [['boot', '--firmware', 'missing.fd'], /cannot read missing\.fd/],
    [['boot', '--set', 'hw.cache.sets=3'], /power of two/],
    [['boot', '--set', 'hw.tdBti=off'], /did you mean 'hw\.tdBit'/],
    [['boot', '--trace', 'missing/trace.json'], /cannot write the trace/],
    [['seeds', '--count', '0'], /--count takes/],
    [['profile', 'diff', '7.1', '7.2'], /unknown profile/],
    [['measure', 'missing.fd', '--order', 'perpage'], /unknown order/],
    [['bot'], /unknown command 'bot'.*boot/],
    [['--vresion'], /unknown option '--vresion'.*--version/],
  ])('%j: one line, status 2, nothing on stdout, nothing written', (args, says) => {
    const { status, stdout, stderr } = seamline(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^seamline: [^\n]+\n$/);
    expect(stderr).toMatch(says);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('fails an expectation with status 1', () => {
    expect(seamline('boot', '--set', 'bios.cmr=absent-memory', '--expect', 'mc')).toMatchObject({ status: 1 });
    expect(seamline('boot', '--set', 'bios.cmr=absent-memory', '--expect', 'errno=EOPNOTSUPP')).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  it('knows its version and helps', () => {
    expect(seamline('--version')).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: '' });
    const { status, stdout, stderr } = seamline('boot', '--help');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/--firmware <file>[\s\S]*--trace <file>/);
  });

  it('bears a reader that has seen enough', async () => {
    const child = spawn(process.execPath, [cli, 'knobs'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.stdout.destroy();
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});
