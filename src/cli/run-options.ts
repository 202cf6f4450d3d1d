/** The options that every command shares which runs the main job: each checked before anything runs. */
import type { Command } from 'commander';
import { KnobError, parseKnob } from '../lab/knobs.ts';
import { PROFILES, type Profile } from '../lab/profiles.ts';
import { parseSeedText } from '../lab/stress/seed.ts';
import { shown } from '../lab/stress/shown.ts';
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

/** A flag that was given is misuse when it is given again: nobody could say which one counts. Those that {@link collect} may be repeated. */
export function refuseRepeats(command: Command): Command {
  for (const option of command.options) {
    let given = 0;
    command.on(`option:${option.name()}`, () => {
      given += 1;
      if (given > 1 && option.parseArg !== collect) command.error(`error: ${option.long} is given twice: give it once`);
    });
  }
  return command;
}

/** A 64-bit seed in decimal or hexadecimal; `flag` names the option it was given with. */
export function parseSeed(output: Output, text: string, flag = '--seed'): bigint {
  const seed = parseSeedText(text);
  return seed ?? output.fail(`${flag} takes a number from 0 to 2^64-1, in decimal or as 0x…, not '${shown(text)}'`);
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
