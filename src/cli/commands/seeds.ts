import type { Command } from 'commander';
import { defaultFirmware } from '../../lab/firmware.ts';
import { classify, OUTCOMES, type Outcome } from '../../lab/seeds.ts';
import { CliExit, Output, type Streams } from '../output.ts';
import { parseSeed, parseSettings } from './boot.ts';
import { chooseProfile } from './profile.ts';

interface Flags {
  readonly count: string;
  readonly from: string;
  readonly profile: string;
  readonly set: readonly string[];
  readonly json?: boolean;
}

const MAX_COUNT = 10_000;
const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];

/** Adds `seeds`: the same what-if under many seeds: harmless, latent, or a machine check (requirement S0-31). */
export function registerSeeds(program: Command, streams: Streams = process): void {
  program
    .command('seeds')
    .description('run a what-if under many seeds and tell harmless, latent and fatal ones apart')
    .option('--count <number>', 'how many seeds', '12')
    .option('--from <number>', 'first seed', '1')
    .option('--profile <name>', 'version of the software', '7.1')
    .option('--set <knob=value>', 'change a rule (repeatable; see seamline knobs)', collect, [])
    .option('--json', 'print JSON')
    .action((flags: Flags) => run(new Output(streams), flags));
}

function run(output: Output, flags: Flags): void {
  const count = Number(flags.count);
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT)
    output.fail(`--count takes a number from 1 to ${MAX_COUNT}, not '${flags.count}'`);
  const from = parseSeed(output, flags.from);
  const knobs = parseSettings(output, flags.set);
  const profile = chooseProfile(output, flags.profile).name;
  const firmware = { name: 'embedded default', bytes: defaultFirmware() };
  const tally: Record<Outcome, number> = { harmless: 0, latent: 0, mc: 0, other: 0 };
  const results = Array.from({ length: count }, (_, i) => {
    const seed = BigInt.asUintN(64, from + BigInt(i));
    const result = classify({ seed, profile, knobs, firmware });
    tally[result.outcome]++;
    if (!flags.json) output.line(`seed ${String(seed).padStart(6)}  ${paint(output, result.outcome)}  ${result.detail}`);
    return { seed: `0x${seed.toString(16).padStart(16, '0')}`, ...result };
  });
  if (flags.json) output.json({ schema: 'seamline/seeds/1', profile, knobs, tally, results });
  else output.line(OUTCOMES.map((outcome) => `${outcome} ${tally[outcome]}`).join(', '));
  if (tally.other > 0) throw new CliExit(1);
}

const paint = (output: Output, outcome: Outcome): string => {
  const text = outcome.padEnd(8);
  return { harmless: output.colors.green, latent: output.colors.yellow, mc: output.colors.red, other: output.colors.magenta }[
    outcome
  ](text);
};
