import type { Command } from 'commander';
import { allKnobs, validText } from '../../lab/knobs.ts';
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
      output.table(
        [{ title: 'knob' }, { title: 'default' }, { title: 'values' }, { title: 'decides' }],
        Object.entries(allKnobs).map(([name, knob]) => [
          output.colors.bold(name),
          String(knob.default),
          validText(knob),
          knob.assumed ? `${knob.about} (assumed)` : knob.about,
        ]),
      );
    });
}
