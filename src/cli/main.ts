#!/usr/bin/env node
import { holdStopSignals } from './stress/signals.ts';

// Before all that takes its time to load: whoever changes his mind at once has results, too, if only that nothing was done.
if (process.argv[2] === 'stress') holdStopSignals();

const { runProgram } = await import('./output.ts');
const { createProgram } = await import('./program.ts');
process.exitCode = await runProgram(createProgram(), process.argv.slice(2));
