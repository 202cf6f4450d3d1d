import type { Command } from 'commander';
import { allKnobs, validText } from '../../lab/knobs.ts';
import type { Knob } from '../../spec/knob.ts';
import { Output, type Streams } from '../output.ts';

/** Adds `knobs [--json]`: every rule that can be changed, its default and its values. */
export function registerKnobs(program: Command, streams: Streams = process): void {
  program
    .command('knobs')
    .description('list every knob: default, values, and what it decides')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) => {
      const output = new Output(streams);
      if (options.json) {
        output.json({ schema: 'seamline/knobs/1', knobs: allKnobs });
        return;
      }
      if (output.width === undefined) printTable(output);
      else printBlocks(output);
    });
}

const rule = ({ about, assumed }: Knob): string => (assumed ? `${about} (assumed)` : about);

/** A knob a line, for grep. */
function printTable(output: Output): void {
  output.table(
    [{ title: 'knob' }, { title: 'default' }, { title: 'values' }, { title: 'decides' }],
    Object.entries(allKnobs).map(([name, knob]) => [name, String(knob.default), validText(knob), rule(knob)]),
  );
}

/** For eyes: no terminal is wide enough for the table. */
function printBlocks(output: Output): void {
  const { bold, green, dim } = output.colors;
  const indent = 4;
  for (const [name, knob] of Object.entries(allKnobs)) {
    output.line(`${bold(name)}=${green(String(knob.default))}  ${dim(`(${validText(knob)})`)}`);
    for (const text of output.wrap(rule(knob), indent)) output.line(' '.repeat(indent) + text);
  }
}
