import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { createProgram } from '../src/cli/program.ts';
import { parseKnob } from '../src/lab/knobs.ts';
import { findProfile } from '../src/lab/profiles.ts';
import { block, commandLines, npmScripts } from './readme-blocks.ts';

const program = createProgram();
const find = (command: Command, name: string): Command | undefined => command.commands.find((child) => child.name() === name);
const text = (words: readonly string[]) => words.join(' ');

/** The usage lines name alternatives: `knobs | profile list | profile diff A B`. */
const lines = commandLines.flatMap((words) =>
  text(words)
    .split(' | ')
    .map((line) => line.split(' ')),
);

/** The command that the words name, and what is left of them. */
function resolve(words: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  let command: Command = program;
  let at = 0;
  for (let child = find(command, words[at] ?? ''); child; child = find(command, words[at] ?? '')) {
    command = child;
    at++;
  }
  return { command, rest: words.slice(at) };
}

describe('README', () => {
  it('shows only commands that exist, and every command that does', () => {
    expect(lines.length).toBeGreaterThan(8);
    const shown = lines.map((words) => ({ line: text(words), name: resolve(words).command.name() }));
    expect(shown.filter(({ name }) => name === 'seamline')).toEqual([]);
    const leaves = program.commands.flatMap((command) => (command.commands.length > 0 ? command.commands : [command]));
    expect(new Set(shown.map(({ name }) => name))).toEqual(new Set(leaves.map((command) => command.name())));
  });

  it('shows only flags that the command’s help has', () => {
    const flags = lines.flatMap((words) => {
      const { command, rest } = resolve(words);
      return (text(rest).match(/--[a-z-]+/g) ?? []).map((flag) => ({ command, flag }));
    });
    expect(flags.length).toBeGreaterThan(10);
    for (const { command, flag } of flags) expect(command.helpInformation(), `${command.name()} ${flag}`).toContain(`${flag} `);
  });

  it('shows every flag of boot and measure', () => {
    for (const name of ['boot', 'measure']) {
      const usage = text(lines.find(([first]) => first === name) ?? []);
      const flags = find(program, name)?.options.map(({ long }) => long) ?? [];
      for (const flag of flags) expect(usage).toContain(flag);
    }
  });

  it('sets only knobs that exist, to values that they take, and names only profiles that exist', () => {
    const settings = lines.flatMap((words) => words.filter((_word, i) => words[i - 1] === '--set'));
    expect(settings).toContain('kernel.wbinvdBeforeKeyConfig=off');
    for (const setting of settings) {
      const [name = '', value = ''] = setting.split('=');
      expect(String(parseKnob(name, value))).toBe(value);
    }
    for (const words of lines) {
      const [, profile] = /--profile ([\w.-]+)/.exec(text(words)) ?? [];
      if (profile !== undefined) expect(findProfile(profile)?.name).toBe(profile);
    }
  });

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    const known = [...Object.keys(scripts), 'ci', 'install', 'pack'];
    expect(npmScripts).toEqual(expect.arrayContaining(['start', 'test']));
    for (const name of npmScripts) expect(known).toContain(name);
  });

  it('shows output of a run: the main job’s verdict, and the chain of the missing WBINVD', () => {
    expect(block('boot-output')).toMatch(/^MRTD +[0-9a-f]{96}$/m);
    expect(block('boot-output')).toMatch(/^verdict: ok/m);
    expect(block('whatif-output')).toMatch(/^causal chain, from provenance$/m);
    expect(block('whatif-output')).toMatch(/^verdict: mc/m);
    for (const name of ['boot-output', 'whatif-output']) expect(block(name)).not.toContain('wall time');
  });
});
