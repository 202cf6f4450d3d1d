/** The options that every command shares which runs the main job: each checked before anything runs. */
import type { Command } from 'commander';
import { KnobError, parseKnob } from '../lab/knobs.ts';
import { PROFILES, type Profile } from '../lab/profiles.ts';
import type { KnobValue } from '../spec/knob.ts';
import { type Output, suggestion } from './output.ts';

export interface RunFlags {
  readonly profile: string;
  readonly set?: readonly string[];
}

/** An option that may be repeated. */
export const collect = (value: string, previous: readonly string[] = []): readonly string[] => [...previous, value];

/** Adds `--profile` and `--set`. */
export const addRunOptions = (command: Command): Command =>
  command
    .option('--profile <name>', 'version of the software (see seamline profile list)', '7.1')
    .option('--set <knob=value>', 'change a rule; may be repeated (see seamline knobs)', collect);

/** Largest 64-bit seed. */
export const MAX_SEED = 2n ** 64n - 1n;

/** A 64-bit seed in decimal or hexadecimal; `flag` names the option it was given with. */
export function parseSeed(output: Output, text: string, flag = '--seed'): bigint {
  const seed = /^(\d{1,20}|0x[0-9a-f]{1,16})$/i.test(text) ? BigInt(text) : undefined;
  if (seed === undefined || seed > MAX_SEED)
    return output.fail(`${flag} takes a number from 0 to 2^64-1, in decimal or as 0x…, not '${text}'`);
  return seed;
}

/** `KNOB=VALUE` settings, each checked; of two for one knob the later wins. */
export function parseSettings(output: Output, settings: readonly string[] = []): Record<string, KnobValue> {
  return Object.fromEntries(settings.map((setting) => parseSetting(output, setting)));
}

function parseSetting(output: Output, setting: string): [string, KnobValue] {
  const at = setting.indexOf('=');
  if (at < 1) output.fail(`--set takes KNOB=VALUE, for example kernel.wbinvdBeforeKeyConfig=off, not '${setting}'`);
  const name = setting.slice(0, at);
  try {
    return [name, parseKnob(name, setting.slice(at + 1))];
  } catch (error) {
    if (!(error instanceof KnobError)) throw error;
    return output.fail(`${error.message}${suggestion(error.given, error.valid)}; see seamline knobs`);
  }
}

/** The profile of that name, or a failure that suggests the nearest one. */
export function chooseProfile(output: Output, name: string): Profile {
  const names = PROFILES.map((profile) => profile.name);
  return PROFILES[names.indexOf(output.choose('profile', name, names))]!;
}
