import type { Command } from 'commander';
import { defaultFirmware } from '../../lab/firmware.ts';
import { classify, OUTCOMES, type Outcome } from '../../lab/seeds.ts';
import { MAX_SEED } from '../../lab/stress/seed.ts';
import { CliExit, Output, type Streams } from '../output.ts';
import { addRunOptions, chooseProfile, parseSeed, parseSettings, type RunFlags } from '../run-options.ts';

interface Flags extends RunFlags {
  readonly count: string;
  readonly from: string;
  readonly json?: boolean;
}

const MAX_COUNT = 10_000;

/** Adds `seeds`: the same what-if under many seeds: harmless, latent, or a machine check (requirement S0-31). */
export function registerSeeds(program: Command, streams: Streams = process): void {
  const command = program
    .command('seeds')
    .description('run a what-if under many seeds and tell harmless, latent and fatal ones apart')
    .option('--count <number>', 'how many seeds', '12')
    .option('--from <number>', 'first seed', '1');
  addRunOptions(command)
    .option('--json', 'print JSON')
    .action((flags: Flags) => run(new Output(streams), flags));
}

function run(output: Output, flags: Flags): void {
  const count = /^\d{1,5}$/.test(flags.count) ? Number(flags.count) : 0;
  if (count < 1 || count > MAX_COUNT) output.fail(`--count takes a number from 1 to ${MAX_COUNT}, not '${flags.count}'`);
  const from = parseSeed(output, flags.from, '--from');
  if (from + BigInt(count) - 1n > MAX_SEED)
    output.fail(`--from ${flags.from} with --count ${count} goes past 2^64-1: start lower`);
  const width = String(from + BigInt(count) - 1n).length;
  const knobs = parseSettings(output, flags.set);
  const profile = chooseProfile(output, flags.profile).name;
  const firmware = { name: 'embedded default', bytes: defaultFirmware() };
  const tally: Record<Outcome, number> = { harmless: 0, latent: 0, mc: 0, other: 0 };
  const results = Array.from({ length: count }, (_, i) => {
    const seed = from + BigInt(i);
    const result = classify({ seed, profile, knobs, firmware });
    tally[result.outcome]++;
    if (!flags.json) output.line(`seed ${String(seed).padStart(width)}  ${paint(output, result.outcome)}  ${result.detail}`);
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
