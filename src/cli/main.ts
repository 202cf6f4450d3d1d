#!/usr/bin/env node
import { runProgram } from './output.ts';
import { createProgram } from './program.ts';

process.exitCode = await runProgram(createProgram(), process.argv.slice(2));
