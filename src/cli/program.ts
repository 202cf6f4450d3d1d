import { Command } from 'commander';
import { registerBoot } from './commands/boot.ts';
import { registerKnobs } from './commands/knobs.ts';
import { registerMeasure } from './commands/measure.ts';
import { registerProfile } from './commands/profile.ts';
import { registerSeeds } from './commands/seeds.ts';
import { registerStress } from './commands/stress.ts';
import { version } from './version.ts';

/** `seamline` with all its commands. */
export function createProgram(): Command {
  const program = new Command('seamline')
    .description('Intel TDX as a deterministic machine')
    .version(version, '--version', 'print the version')
    .showSuggestionAfterError()
    .helpCommand(true);
  for (const register of [registerBoot, registerMeasure, registerSeeds, registerKnobs, registerProfile, registerStress])
    register(program);
  return program;
}
