import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { registerBoot } from '../../src/cli/commands/boot.ts';
import { type ReadFile, readFileUpTo } from '../../src/cli/firmware.ts';
import { Output } from '../../src/cli/output.ts';
import { openTrace } from '../../src/cli/trace-file.ts';
import { allKnobs } from '../../src/lab/knobs.ts';
import { measure } from '../../src/lab/measure.ts';
import { smallMap } from '../../src/platform/index.ts';
import { defaultFirmware, parseTdvf } from '../../src/vmm/tdvf/index.ts';
import { bfv, describeOvmf, image, OVMF_CODE_SECBOOT, section, tdHob, tempMem, validImage } from '../vmm/tdvf/images.ts';
import { expectMisuse, type Ran, run, type Terminal, withColors } from './terminal.ts';

const directory = mkdtempSync(join(tmpdir(), 'seamline-boot-'));
const path = (name: string) => join(directory, name);
beforeAll(() => mkdirSync(path('directory')));
afterAll(() => rmSync(directory, { recursive: true }));

/** On a machine of 4 GiB: the same run, sooner. */
const boot = (args: readonly string[], { readFile = readFileUpTo, ...terminal }: Terminal & { readFile?: ReadFile } = {}) =>
  run((program, { streams }) => registerBoot(program, { streams, readFile, memoryMap: smallMap }), ['boot', ...args], terminal);
/** `boot` must refuse this before anything runs: no file appears. */
async function refused(args: readonly string[], readFile?: ReadFile): Promise<string> {
  const before = readdirSync(directory);
  const line = expectMisuse(await boot(args, readFile && { readFile }));
  expect(readdirSync(directory)).toEqual(before);
  return line;
}
const WHAT_IF = ['--set', 'kernel.wbinvdBeforeKeyConfig=off'];
/** The run is short, and it is real: TDH.SYS.CONFIG refuses a CMR list that lies. */
const SHORT = ['--set', 'bios.cmr=absent-memory'];

describe('a good run', () => {
  let text: Ran;
  let json: Record<string, never> & { host: Record<string, unknown> };
  let jsonRun: Ran;
  beforeAll(async () => {
    text = await boot(['--trace', path('good.json')]);
    jsonRun = await boot(['--json', '--expect', 'ok']);
    json = JSON.parse(jsonRun.stdout);
  }, 120_000);

  it('shows its steps, what it measured and the verdict, with status 0', () => {
    expect(text).toMatchObject({ status: 0, stderr: '' });
    expect(text.stdout).toContain(`MRTD        ${measure(parseTdvf(defaultFirmware()).sections).mrtd}`);
    expect(text.stdout).toMatch(/^verdict: ok {2}/m);
    expect(text.stdout).toMatch(/x86 code is not executed/);
    expect(text.stdout).not.toContain('\u001b');
  });

  it('writes a trace whole and leaves nothing beside it', () => {
    expect(JSON.parse(readFileSync(path('good.json'), 'utf8')).traceEvents.length).toBeGreaterThan(1000);
    expect(readdirSync(directory).filter((name) => name.includes('good'))).toEqual(['good.json']);
  });

  it('is JSON by the contract: schema, MRTD, 64-bit values as 0x…, integer nanoseconds', () => {
    expect(jsonRun).toMatchObject({ status: 0, stderr: '' });
    expect(json).toMatchObject({ schema: 'seamline/boot/1', seed: '0x0000000000000001', profile: '7.1', deviations: {} });
    expect(json.mrtd).toMatch(/^[0-9a-f]{96}$/);
    expect(json.mrtd).toBe(measure(parseTdvf(defaultFirmware()).sections).mrtd);
    expect(json.attestation).toMatchObject({ mrtd: json.mrtd, rtmrs: Array(4).fill(expect.stringMatching(/^[0-9a-f]{96}$/)) });
    expect(json.attestation).toMatchObject({ attributes: expect.stringMatching(/^0x[0-9a-f]{16}$/), xfam: '0x0000000000000007' });
    expect(Object.keys(json.knobs)).toEqual(Object.keys(allKnobs));
    expect(json.verdict).toMatchObject({ kind: 'ok' });
    for (const { start, end } of json.steps as { start: number; end: number }[])
      expect([Number.isInteger(start), Number.isInteger(end)]).toEqual([true, true]);
  });

  it('has all that depends on the host under host, and nothing else differs between two runs', async () => {
    expect(Object.keys(json.host).sort()).toEqual(['firmware', 'trace', 'wallMs']);
    const again = JSON.parse((await boot(['--json'])).stdout);
    expect({ ...again, host: json.host }).toEqual(json);
  });
});

describe('a machine check', () => {
  it('is status 1, with the chain and its cause; --expect mc makes it 0', async () => {
    const plain = await boot(WHAT_IF);
    expect(plain).toMatchObject({ status: 1, stderr: '' });
    expect(plain.stdout).toMatch(/^causal chain, from provenance\n {3}1\. /m);
    expect(plain.stdout).toMatch(/kernel\.wbinvdBeforeKeyConfig=off; with on the failure is gone/);
    const expected = await boot([...WHAT_IF, '--expect', 'mc', '--json']);
    expect(expected).toMatchObject({ status: 0, stderr: '' });
    const report = JSON.parse(expected.stdout);
    expect(report.verdict.kind).toBe('mc');
    expect(report.causes.map(({ knob }: { knob: string }) => knob)).toEqual(['kernel.wbinvdBeforeKeyConfig']);
    expect(report.deviations).toEqual({ 'kernel.wbinvdBeforeKeyConfig': { value: 'off', reference: 'on' } });
  });
});

describe('--expect', () => {
  it.each(['errno=EOPNOTSUPP', 'errno=-EOPNOTSUPP'])('%s: status 0 when the run ends so', async (expectation) => {
    expect(await boot([...SHORT, '--expect', expectation])).toMatchObject({ status: 0, stderr: '' });
  });

  it.each(['ok', 'mc', 'errno=EIO'])('%s: status 1 when it does not, and a line that says why', async (expectation) => {
    const { status, stderr } = await boot([...SHORT, '--expect', expectation]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `seamline: --expect ${expectation}: the run ended with errno=EOPNOTSUPP\n`,
    });
  });

  it('is ok by default', async () => {
    expect(await boot(SHORT)).toMatchObject({ status: 1, stderr: '' });
  });

  it.each([
    ['mcc', /unknown expectation 'mcc' \(did you mean 'mc'\?\); valid: ok, mc, errno=NAME/],
    ['errno=EOI', /there is no such errno \(did you mean 'EIO'\?\)/],
    ['errno=', /there is no such errno/],
    ['', /unknown expectation ''/],
  ])('refuses %j', async (expectation, says) => {
    expect(await refused(['--expect', expectation])).toMatch(says);
  });
});

describe('on a terminal', () => {
  it('shows the running step and wipes it, and paints unless NO_COLOR is set', async () => {
    const painted = await withColors(undefined, () => boot(SHORT, { isTTY: true }));
    expect(painted.stdout).toContain('\u001b[31mfailed');
    expect(painted.stdout.split('\r\u001b[2K').length).toBeGreaterThan(3);
    const plain = await withColors('1', () => boot(SHORT, { isTTY: true }));
    expect(plain.stdout.replaceAll('\r\u001b[2K', '')).not.toContain('\u001b');
  });
});

describe('bad flags', () => {
  it.each([
    [['--set', 'kernel.wbinvdBeforKeyConfig=off'], /unknown knob '.*' \(did you mean 'kernel\.wbinvdBeforeKeyConfig'\?\)/],
    [['--set', 'kernel.wbinvdBeforeKeyConfig=of'], /does not take 'of'; valid: on, off \(did you mean 'off'\?\)/],
    [['--set', 'hw.macBits=29'], /knob hw\.macBits does not take '29'; valid: 1 to 28/],
    [['--set', 'hw.macBits=1.5'], /valid: 1 to 28/],
    [['--set', 'hw.macBits'], /--set takes KNOB=VALUE/],
    [['--set', '=off'], /--set takes KNOB=VALUE/],
    [['--set', '__proto__=1'], /unknown knob '__proto__'/],
    [['--set', 'toString=1'], /unknown knob 'toString'/],
    [['--profile', '7.2'], /unknown profile '7\.2' \(did you mean '7\.1'\?\); valid: 7\.1, 6\.18/],
    [['--profil', '7.1'], /unknown option '--profil'.*--profile/],
    [['--seed', '-1'], /--seed takes a number from 0 to 2\^64-1/],
    [['--seed', '18446744073709551616'], /--seed takes a number from 0 to 2\^64-1/],
    [['--seed', '0x10000000000000000'], /--seed takes a number from 0 to 2\^64-1/],
    [['--seed', '1e3'], /--seed takes a number/],
    [['--seed'], /argument missing/],
    [['extra'], /too many arguments/],
  ])('%j', async (args, says) => {
    expect(await refused(args)).toMatch(says);
  });

  it('a value that the knob takes and the hardware does not: the library’s typed error is one line too', async () => {
    expect(await refused(['--set', 'hw.cache.sets=3'])).toMatch(/cacheSets 3: give 0 or a power of two/);
    expect(await refused(['--set', 'hw.cache.sets=3', '--trace', path('never.json')])).toMatch(/cacheSets/);
  });

  it('takes the first and the last seed', async () => {
    for (const seed of ['0', '18446744073709551615', '0xffffffffffffffff'])
      expect((await boot([...SHORT, '--seed', seed])).status).toBe(1);
  });
});

describe('bad firmware', () => {
  const good = validImage();
  const fixed =
    (bytes: Uint8Array): ReadFile =>
    () =>
      bytes;

  it.each<[string, Uint8Array, RegExp]>([
    ['empty', new Uint8Array(), /f\.fd: the image is empty/],
    ['truncated', good.subarray(0, 5000), /f\.fd: .*cut short/],
    ['oversized', new Uint8Array(64 * 2 ** 20 + 1), /larger than 64 MiB/],
    ['without metadata', new Uint8Array(8192), /no TDVF metadata/],
    ['a section beyond the image', image([bfv({ rawDataSize: 0x7000, memoryDataSize: 0x7000 }), tdHob()]), /past the image/],
    ['overlapping sections', image([bfv(), tdHob(), tempMem({ memoryAddress: 0x809000 })]), /overlaps at GPA 0x809000/],
    ['an unaligned section', image([bfv(), tdHob({ memoryAddress: 0x809800 })]), /multiples of 4 KiB/],
    ['an unknown type', image([bfv(), tdHob(), section(99)]), /unknown type 99/],
    ['TempMem above the RAM', image([bfv(), tdHob(), tempMem({ memoryAddress: 2 ** 30 })]), /not inside the TD's RAM/],
    [
      'a BFV that begins below the flash',
      image([bfv({ memoryAddress: 2 ** 32 - 0x10000, memoryDataSize: 0x10000 }), tdHob()]),
      /neither in the TD's RAM nor in its flash/,
    ],
  ])('%s', async (_what, bytes, says) => {
    expect(await refused(['--firmware', 'f.fd', '--trace', path('never.json')], fixed(bytes))).toMatch(says);
  });

  it('a TD HOB that does not fit into its section', async () => {
    const many = Array.from({ length: 100 }, (_, i) =>
      tempMem({ memoryAddress: 0x1000000 + i * 0x2000, memoryDataSize: 0x1000 }),
    );
    const bytes = image([bfv(), tdHob({ memoryDataSize: 0x1000 }), ...many]);
    expect(await refused(['--firmware', 'f.fd'], fixed(bytes))).toMatch(/TD HOB needs \d+ bytes, its section has 4096/);
  });

  it.each([
    ['missing.fd', /there is no such file/],
    ['directory', /it is a directory/],
  ])('%s', async (name, says) => {
    expect(await refused(['--firmware', path(name)])).toMatch(says);
  });

  it('an empty path', async () => {
    expect(await refused(['--firmware', ''])).toMatch(/path is empty/);
  });
});

describeOvmf('Debian’s CODE file alone', () => {
  it('says "prepend VARS"', async () => {
    expect(await refused(['--firmware', OVMF_CODE_SECBOOT])).toMatch(/prepend VARS/);
  });
});

describe('a trace that cannot be written', () => {
  it.each([
    ['missing/trace.json', /there is no such directory: create it first/],
    ['directory', /it is a directory: give a file name in it/],
    ['new/', /it is a directory/],
    [`${'x'.repeat(300)}.json`, /the name is too long/],
  ])('%s', async (name, says) => {
    expect(await refused(['--trace', path(name)])).toMatch(says);
  });

  it('an empty path', async () => {
    expect(await refused(['--trace', ''])).toMatch(/trace path is empty/);
  });

  it('a directory that is not ours', async ({ skip }) => {
    mkdirSync(path('locked'));
    chmodSync(path('locked'), 0o500);
    if (process.getuid?.() === 0) skip('root may write everywhere: /proc stands in for it below');
    expect(await refused(['--trace', path('locked/trace.json')])).toMatch(/permission denied/);
  });

  it.runIf(existsSync('/proc/self'))('a file system that takes no files', async () => {
    expect(await refused(['--trace', '/proc/trace.json'])).toMatch(/cannot write the trace \/proc\/trace\.json: /);
  });

  it.runIf(existsSync('/dev/full'))('a device that is full, met only when the trace is written', async () => {
    const { status, stderr } = await boot([...SHORT, '--trace', '/dev/full', '--json']);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: 'seamline: cannot write the trace /dev/full: no space left: choose another path\n',
    });
  });
});

describe('the trace file', () => {
  const output = new Output({ stdout: { write: () => true }, stderr: { write: () => true } });
  const names = () => readdirSync(path('traces')).sort();
  beforeEach(() => {
    rmSync(path('traces'), { recursive: true, force: true });
    mkdirSync(path('traces'));
  });

  it('replaces an existing file only when the trace is complete', () => {
    writeFileSync(path('traces/t.json'), 'old');
    const trace = openTrace(output, path('traces/t.json'));
    expect(names()).toEqual(['t.json']);
    trace.write('new ');
    trace.write('trace é');
    expect(readFileSync(path('traces/t.json'), 'utf8')).toBe('old');
    trace.commit();
    expect(readFileSync(path('traces/t.json'), 'utf8')).toBe('new trace é');
    expect(names()).toEqual(['t.json']);
  });

  it('leaves the old file and nothing else when the run breaks off', () => {
    writeFileSync(path('traces/t.json'), 'old');
    const trace = openTrace(output, path('traces/t.json'));
    trace.write('half of ');
    trace.discard();
    expect(names()).toEqual(['t.json']);
    expect(readFileSync(path('traces/t.json'), 'utf8')).toBe('old');
  });

  it('follows a link instead of replacing it', () => {
    writeFileSync(path('traces/real.json'), 'old');
    symlinkSync('real.json', path('traces/link.json'));
    const trace = openTrace(output, path('traces/link.json'));
    trace.write('new');
    trace.commit();
    expect(readFileSync(path('traces/real.json'), 'utf8')).toBe('new');
    expect(names()).toEqual(['link.json', 'real.json']);
  });

  it('removes its part when the last step fails', () => {
    const trace = openTrace(output, path('traces/t.json'));
    trace.write('whole');
    mkdirSync(path('traces/t.json'));
    expect(() => trace.commit()).toThrow('exit status 2');
    expect(names()).toEqual(['t.json']);
    expect(readdirSync(path('traces/t.json'))).toEqual([]);
  });
});
