import { describe, expect, it } from 'vitest';
import { registerKnobs } from '../../src/cli/commands/knobs.ts';
import { allKnobs } from '../../src/lab/knobs.ts';
import { expectMisuse, run, type Terminal, withColors } from './terminal.ts';

const knobs = (args: readonly string[] = [], terminal?: Terminal) =>
  run((program, { streams }) => registerKnobs(program, streams), ['knobs', ...args], terminal);
const names = Object.keys(allKnobs);

describe('seamline knobs', () => {
  it('prints a knob a line when piped, aligned', async () => {
    const { status, stdout, stderr } = await knobs();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [title = '', ...rows] = stdout.trimEnd().split('\n');
    expect(rows.map((row) => row.split(' ')[0])).toEqual(names);
    const at = title.indexOf('default');
    for (const row of rows) expect(row.slice(at - 2, at + 1)).toMatch(/^ {2}\S$/);
    expect(rows.find((row) => row.startsWith('kernel.wbinvdBeforeKeyConfig '))).toMatch(/ on +on, off +Flush /);
    expect(stdout).not.toContain('\u001b');
  });

  it.each([80, 120])('fits a terminal of %i columns', async (columns) => {
    const { stdout } = await withColors('1', () => knobs([], { isTTY: true, columns }));
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => !line.startsWith(' ')).map((line) => line.split('=')[0])).toEqual(names);
    for (const line of lines.filter((text) => text.startsWith(' '))) expect(line.length, line).toBeLessThanOrEqual(columns);
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(allKnobs['module.profile']?.about);
  });

  it('paints on a terminal, not with NO_COLOR', async () => {
    expect((await withColors(undefined, () => knobs([], { isTTY: true }))).stdout).toContain('\u001b[');
    expect((await withColors('1', () => knobs([], { isTTY: true }))).stdout).not.toContain('\u001b[');
  });

  it('prints JSON: every knob with default and values', async () => {
    const json = JSON.parse((await knobs(['--json'])).stdout);
    expect(json.schema).toBe('seamline/knobs/1');
    expect(Object.keys(json.knobs)).toEqual(names);
    expect(json.knobs['hw.tdBit']).toMatchObject({ default: 'on', values: ['on', 'off'] });
    expect(json.knobs['hw.macBits'].values).toEqual({ min: 1, max: 28 });
  });

  it('refuses what it does not know', async () => {
    expect(expectMisuse(await knobs(['--jsno']))).toMatch(/unknown option '--jsno'.*--json/);
    expect(expectMisuse(await knobs(['extra']))).toMatch(/too many arguments/);
  });
});
