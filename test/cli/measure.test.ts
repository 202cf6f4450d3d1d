import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerMeasure } from '../../src/cli/commands/measure.ts';
import { type ReadFile, readFileUpTo } from '../../src/cli/firmware.ts';
import { Output, runProgram } from '../../src/cli/output.ts';
import { measure } from '../../src/lab/measure.ts';
import { buildTdvf, defaultFirmware, MAX_IMAGE_BYTES, MR_EXTEND, parseTdvf } from '../../src/vmm/tdvf/index.ts';
import { bfv, describeOvmf, image, OVMF, OVMF_CODE_SECBOOT, tdHob } from '../vmm/tdvf/images.ts';
import { expectMisuse, run } from './terminal.ts';

const directory = mkdtempSync(join(tmpdir(), 'seamline-measure-'));
const path = (name: string) => join(directory, name);

beforeAll(() => {
  writeFileSync(path('good.fd'), defaultFirmware());
  writeFileSync(path('empty.fd'), '');
  writeFileSync(path('short.fd'), defaultFirmware().subarray(0, 5000));
  writeFileSync(path('text.fd'), 'x'.repeat(8192));
  writeFileSync(path('measured-hob.fd'), image([bfv(), tdHob({ attributes: MR_EXTEND })]));
  mkdirSync(path('directory'));
  symlinkSync('loop', path('loop'));
});
afterAll(() => rmSync(directory, { recursive: true }));

const seamline = (args: readonly string[], options: { readFile?: ReadFile; isTTY?: boolean } = {}) =>
  run((program, { streams }) => registerMeasure(program, { streams, readFile: options.readFile ?? readFileUpTo }), args, options);

const misuse = async (args: readonly string[], readFile?: ReadFile): Promise<string> =>
  expectMisuse(await seamline(args, readFile && { readFile }));

const failing =
  (code: string): ReadFile =>
  () => {
    throw Object.assign(new Error(`${code}: no`), { code });
  };

describe('seamline measure', () => {
  it('prints the MRTD and an aligned table', async () => {
    const { status, stdout, stderr } = await seamline(['measure', path('good.fd')]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(measure(parseTdvf(defaultFirmware()).sections).mrtd);
    const table = stdout.split('\n').filter((line) => /^( ?#| *\d) /.test(line));
    expect(table).toHaveLength(7);
    expect(table[1]).toMatch(/^0 {2}BFV +0xffff2000 +0x100000000 +0x2000 +0xe000 +14 +14 +14 {2}MR\.EXTEND$/);
    const pagesEnd = table[0].indexOf('pages') + 'pages'.length;
    for (const line of table.slice(1)) expect(line.slice(0, pagesEnd)).toMatch(/ \d+$/);
    expect(stdout).not.toContain('\u001b');
  });

  it('paints on a terminal only', async () => {
    const { NO_COLOR, TERM } = process.env;
    delete process.env.NO_COLOR;
    process.env.TERM = 'xterm';
    try {
      const { stdout } = await seamline(['measure', path('good.fd')], { isTTY: true });
      expect(stdout).toContain('\u001b[1m');
      process.env.NO_COLOR = '1';
      expect((await seamline(['measure', path('good.fd')], { isTTY: true })).stdout).not.toContain('\u001b');
    } finally {
      delete process.env.NO_COLOR;
      Object.assign(process.env, NO_COLOR === undefined ? {} : { NO_COLOR }, TERM === undefined ? {} : { TERM });
    }
  });

  it.each(['per-page', 'two-pass'] as const)('prints JSON: --order %s', async (order) => {
    const { status, stdout } = await seamline(['measure', path('good.fd'), '--order', order, '--json']);
    const json = JSON.parse(stdout);
    expect(status).toBe(0);
    expect(json.schema).toBe('seamline/measure/1');
    expect(json.mrtd).toMatch(/^[0-9a-f]{96}$/);
    expect(json.mrtd).toBe(measure(parseTdvf(defaultFirmware()).sections, { order }).mrtd);
    expect(json.order).toBe(order);
    expect(json.host).toEqual({ file: path('good.fd') });
    expect(json.sections).toHaveLength(6);
    expect(json.sections[0]).toEqual({
      index: 0,
      type: 0,
      name: 'BFV',
      attributes: ['MR.EXTEND'],
      dataOffset: 0x2000,
      rawDataSize: 0xe000,
      memoryAddress: '0xffff2000',
      memoryDataSize: '0xe000',
      pages: 14,
      pagesAdded: 14,
      pagesExtended: 14,
    });
  });

  it.each([
    ['missing.fd', /cannot read .*missing\.fd: there is no such file/],
    ['directory', /it is a directory/],
    ['good.fd/x', /not a directory/],
    ['loop', /symbolic links/],
    ['empty.fd', /empty\.fd: the image is empty/],
    ['short.fd', /short\.fd: .*cut short/],
    ['text.fd', /text\.fd: no TDVF metadata/],
    ['measured-hob.fd', /section 1 \(TD_HOB\) is measured but its contents come from the VMM/],
  ])('refuses %s', async (name, says) => {
    expect(await misuse(['measure', path(name)])).toMatch(says);
  });

  it('refuses a file that cannot be read, whatever the reason', async () => {
    expect(await misuse(['measure', 'x.fd'], failing('EACCES'))).toMatch(/permission denied/);
    expect(await misuse(['measure', 'x.fd'], failing('EIO'))).toMatch(/cannot read x\.fd: EIO/);
    expect(await misuse(['measure', ''])).toMatch(/path is empty/);
    expect(await misuse(['measure', 'a\u0000b'])).toMatch(/null byte/);
  });

  it('refuses an oversized file without reading all of it', async () => {
    expect(await misuse(['measure', '/dev/zero'])).toMatch(/larger than 64 MiB/);
    let asked = 0;
    await misuse(['measure', 'x.fd'], (_path, limit) => {
      asked = limit;
      return new Uint8Array(limit + 1);
    });
    expect(asked).toBe(MAX_IMAGE_BYTES);
  });

  it('keeps a failure on one line even when the file name is not', async () => {
    expect(await misuse(['measure', 'a\nseamline: all is well'])).toMatch(/a seamline: all is well: there is no such file/);
  });

  it('suggests the nearest valid order, option and command', async () => {
    expect(await misuse(['measure', path('good.fd'), '--order', 'perpage'])).toMatch(
      /unknown order 'perpage' \(did you mean 'per-page'\?\); valid: per-page, two-pass/,
    );
    expect(await misuse(['measure', path('good.fd'), '--order', 'zzz'])).toMatch(
      /unknown order 'zzz'; valid: per-page, two-pass/,
    );
    expect(await misuse(['measure', path('good.fd'), '--jsn'])).toMatch(/unknown option '--jsn'.*--json/);
    expect(await misuse(['mesure'])).toMatch(/unknown command 'mesure'.*measure/);
    expect(await misuse(['measure'])).toMatch(/missing required argument/);
    expect(await misuse(['measure', path('good.fd'), 'extra'])).toMatch(/too many arguments/);
  });

  it('gives help with status 0', async () => {
    const { status, stdout } = await seamline(['measure', '--help']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/per-page/);
  });

  it.each([
    ['EPIPE', 0, ''],
    ['ENOSPC', 2, 'seamline: cannot write the output: no space is left on its device\n'],
  ])('tolerates a reader that closes early, and no other write error: %s', async (code, status, says) => {
    for (const how of ['told at once', 'told later']) {
      let tell = (_error: NodeJS.ErrnoException): void => {};
      const error = Object.assign(new Error('not written'), { code, syscall: 'write' });
      const stdout = {
        write: () => {
          if (how === 'told at once' && code !== 'EPIPE') throw error;
          process.nextTick(tell, error);
        },
        on: (_event: 'error', listener: typeof tell) => {
          tell = listener;
        },
      };
      let stderr = '';
      const streams = { stdout, stderr: { write: (text: string) => (stderr += text) } };
      const program = new Command('seamline').action(() => new Output(streams).line('text'));
      expect(await runProgram(program, [], streams)).toBe(status);
      expect(stderr).toBe(says);
    }
  });

  it('lets a defect of its own through', async () => {
    const broken: ReadFile = () => {
      throw new TypeError('a defect');
    };
    await expect(seamline(['measure', 'x.fd'], { readFile: broken })).rejects.toThrow('a defect');
  });

  it('reads images of every size up to the limit', () => {
    const large = buildTdvf({ size: 3 * 2 ** 20 + 4096, sections: [] });
    writeFileSync(path('large.fd'), large);
    expect(Buffer.compare(readFileUpTo(path('large.fd'), MAX_IMAGE_BYTES), large)).toBe(0);
    expect(readFileUpTo(path('large.fd'), large.length - 1)).toHaveLength(large.length);
    expect(readFileUpTo(path('large.fd'), 100)).toHaveLength(101);
  });
});

describeOvmf('seamline measure on Debian’s OVMF', () => {
  it('measures OVMF.fd', async () => {
    const { status, stdout } = await seamline(['measure', OVMF, '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).sections[0].pagesExtended).toBe(480);
  });

  it('says "prepend VARS" for CODE alone', async () => {
    expect(await misuse(['measure', OVMF_CODE_SECBOOT])).toMatch(/prepend VARS: cat OVMF_VARS\.fd OVMF_CODE\.fd > OVMF\.fd/);
  });
});
