import type { Command } from 'commander';
import { deviations, fullVector } from '../../lab/knobs.ts';
import { PROFILES } from '../../lab/profiles.ts';
import { Output, type Streams } from '../output.ts';
import { chooseProfile } from '../run-options.ts';

/** Adds `profile list` and `profile diff A B`. */
export function registerProfile(program: Command, streams: Streams = process): void {
  const command = program.command('profile').description('software versions as lists of knob values');
  command
    .command('list')
    .description('list the profiles')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) => list(new Output(streams), options.json ?? false));
  command
    .command('diff')
    .description('knobs in which two profiles differ')
    .argument('<a>', 'a profile')
    .argument('<b>', 'another one')
    .option('--json', 'print JSON')
    .action((a: string, b: string, options: { json?: boolean }) => diff(new Output(streams), a, b, options.json ?? false));
}

function list(output: Output, json: boolean): void {
  if (json) {
    output.json({ schema: 'seamline/profiles/1', profiles: PROFILES });
    return;
  }
  output.table(
    [{ title: 'profile' }, { title: 'not in it' }, { title: 'stands for' }],
    PROFILES.map(({ name, lacks, about }) => [output.colors.bold(name), lacks.join(', ') || '-', about]),
  );
}

function diff(output: Output, a: string, b: string, json: boolean): void {
  const [left, right] = [chooseProfile(output, a), chooseProfile(output, b)];
  const changed = deviations(right.knobs, left.knobs);
  if (json) {
    output.json({
      schema: 'seamline/profile-diff/1',
      a,
      b,
      knobs: changed,
      vectors: { a: fullVector(left.knobs), b: fullVector(right.knobs) },
    });
    return;
  }
  if (Object.keys(changed).length === 0) {
    output.line(`${a} and ${b} have the same knobs`);
    return;
  }
  output.table(
    [{ title: 'knob' }, { title: a }, { title: b }],
    Object.entries(changed).map(([name, { value, reference }]) => [name, String(reference), String(value)]),
  );
}
