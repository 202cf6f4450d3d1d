#!/usr/bin/env node
import { Command } from 'commander';
import { registerBoot } from './commands/boot.ts';
import { registerKnobs } from './commands/knobs.ts';
import { registerMeasure } from './commands/measure.ts';
import { registerProfile } from './commands/profile.ts';
import { registerSeeds } from './commands/seeds.ts';
import { runProgram } from './output.ts';
import { version } from './version.ts';

const program = new Command('seamline')
  .description('Intel TDX as a deterministic machine')
  .version(version, '--version', 'print the version')
  .showSuggestionAfterError()
  .helpCommand(true);
for (const register of [registerBoot, registerMeasure, registerSeeds, registerKnobs, registerProfile]) register(program);

process.exitCode = await runProgram(program, process.argv.slice(2));
