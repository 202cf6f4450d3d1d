/** The flags of `stress`: each checked before anything starts, and put over the file's or the preset's program. */
import { availableParallelism } from 'node:os';
import { MAX_WEIGHT } from '../../lab/stress/check.ts';
import { fieldValue } from '../../lab/stress/hardware.ts';
import {
  completeStressProgram,
  DEFAULT_STRESS_PROGRAM,
  STRESS_KNOBS,
  STRESS_PRESETS,
  STRESS_SHARDS,
  type StressKnob,
  StressMisuse,
  type StressProgram,
} from '../../lab/stress/index.ts';
import { shown } from '../../lab/stress/shown.ts';
import type { KnobValue } from '../../spec/knob.ts';
import { type Output, suggestion } from '../output.ts';
import { parseSeed, parseSettings } from '../run-options.ts';
import type { Job } from './pool.ts';
import { chooseOperation, choosePattern, loadProgram, type PartialProgram } from './program-file.ts';
import { counted, parseCount, parseSize, sizeAdvice } from './quantities.ts';

export interface StressFlags {
  readonly preset?: string;
  readonly pattern?: string;
  readonly mix?: string;
  readonly ops?: string;
  readonly footprint?: string;
  readonly packages?: string;
  readonly seed?: string;
  readonly set?: readonly string[];
  readonly workers?: string;
  readonly maxMemory?: string;
  readonly json?: boolean;
  readonly list?: boolean;
}

/** Operations, when nobody says how many. */
export const DEFAULT_OPS = '100M';
/** What one Wasm memory holds. */
export const WASM_LIMIT = 2 ** 32 - 2 ** 16;
/** The smallest machine. */
const LEAST_MEMORY = 2 ** 21;
/** First byte behind the widest physical address. */
const ADDRESS_END = 2 ** 52;
const MIB = 2 ** 20;
/** Part of this computer's memory that all workers together may fill. */
const HOST_SHARE = 0.9;

/** Program and extent of a run, or one line and exit status 2. */
export function parseJob(output: Output, file: string | undefined, flags: StressFlags, cores = availableParallelism()): Job {
  const operations = parseOps(output, flags.ops ?? DEFAULT_OPS);
  const workers = parseWorkers(output, flags.workers, cores);
  const maxMemoryBytes = parseMaxMemory(output, flags.maxMemory, workers);
  return { program: parseProgram(output, file, flags), operations, workers, maxMemoryBytes };
}

function parseOps(output: Output, text: string): number {
  const operations = parseCount(text);
  if (operations !== undefined && operations > Number.MAX_SAFE_INTEGER)
    output.fail(`--ops ${shown(text)}: give at most ${Number.MAX_SAFE_INTEGER} operations (2^53 - 1)`);
  if (operations !== undefined && operations >= 1) return operations;
  return output.fail(`--ops takes a whole number of operations, 1 or more, such as 1e9, 500M or 1000000, not '${shown(text)}'`);
}

function parseWorkers(output: Output, text: string | undefined, cores: number): number {
  const most = Math.min(cores, STRESS_SHARDS);
  if (text === undefined) return most;
  const workers = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (workers > cores) output.fail(`--workers ${text}: this machine has ${counted(cores, 'core')}: give at most ${most}`);
  if (workers > STRESS_SHARDS)
    output.fail(`--workers ${text}: the work is cut into ${STRESS_SHARDS} shards: give at most ${most}`);
  if (workers < 1) output.fail(`--workers takes a whole number from 1 to ${most}, not '${shown(text)}'`);
  return workers;
}

/** Without the flag: as much as a Wasm memory holds, but all workers together no more than this computer has. */
function parseMaxMemory(output: Output, text: string | undefined, workers: number): number {
  const host = Math.floor((process.availableMemory() * HOST_SHARE) / workers / MIB) * MIB;
  if (text === undefined) return Math.max(LEAST_MEMORY, Math.min(WASM_LIMIT, host));
  const size = parseBytes(output, '--max-memory', text);
  if (size < LEAST_MEMORY || size > 2 ** 32)
    output.fail(`--max-memory takes 2MiB to 4GiB, the most that one Wasm memory holds, not '${shown(text)}'`);
  return Math.min(size, WASM_LIMIT);
}

function parseBytes(output: Output, flag: string, text: string): number {
  const size = parseSize(text);
  if (size !== undefined && size >= ADDRESS_END)
    output.fail(`${flag} ${shown(text)}: no physical address is wider than 52 bits: give less than 4PiB`);
  return size ?? output.fail(`${flag} takes ${sizeAdvice(text)}, not '${shown(text)}'`);
}

function parseProgram(output: Output, file: string | undefined, flags: StressFlags): StressProgram {
  if (file !== undefined && flags.preset !== undefined)
    output.fail(`a program file and --preset ${shown(flags.preset)} are two programs: give one of them`);
  const from = flags.preset === undefined ? DEFAULT_STRESS_PROGRAM : choosePreset(output, flags.preset);
  const written = file === undefined ? {} : loadProgram(file, output);
  const given = fromFlags(output, flags);
  const over = (lower: PartialProgram, upper: PartialProgram) => ({
    ...lower,
    ...upper,
    hardware: { ...lower.hardware, ...upper.hardware },
  });
  const complaint = complaintOf(over(written, given), from);
  if (complaint === undefined) return completeStressProgram(over(written, given), from);
  // Whoever gets it wrong alone is to blame alone.
  if (file === undefined || complaintOf(over({}, given), from) === complaint) return output.fail(complaint);
  const alone = complaintOf(written, from) === complaint;
  return output.fail(`${file}${alone ? '' : ' with the flags over it'}: ${complaint}`);
}

function complaintOf(program: unknown, from: StressProgram): string | undefined {
  try {
    completeStressProgram(program, from);
    return undefined;
  } catch (error) {
    if (error instanceof StressMisuse) return error.message;
    throw error;
  }
}

function choosePreset(output: Output, name: string): StressProgram {
  const names = STRESS_PRESETS.map((preset) => preset.name);
  return STRESS_PRESETS[names.indexOf(output.choose('preset', name, names))]!.program;
}

function fromFlags(output: Output, flags: StressFlags): PartialProgram {
  return {
    ...(flags.pattern !== undefined && { pattern: parsePattern(output, flags.pattern) }),
    ...(flags.mix !== undefined && { mix: parseMix(output, flags.mix) }),
    ...(flags.footprint !== undefined && { footprint: parseBytes(output, '--footprint', flags.footprint) }),
    ...(flags.packages !== undefined && { packages: parsePackages(output, flags.packages) }),
    ...(flags.seed !== undefined && { seed: `0x${parseSeed(output, flags.seed).toString(16)}` }),
    ...(flags.set !== undefined && { hardware: parseHardware(output, flags.set) }),
  };
}

const DECIMAL = /^(\d+(\.\d+)?|\.\d+)(e[+-]?\d{1,2})?$/i;

/** `zipf:1.2`, `hot-set:0.1:0.9`: numbers in the order of `--list`; what is left out has its default. */
function parsePattern(output: Output, text: string): NonNullable<PartialProgram['pattern']> {
  const [kind = '', ...values] = text.split(':');
  const { name, parameters } = choosePattern(output, kind);
  if (values.length > parameters.length) {
    const usage = [name, ...parameters.map((parameter) => parameter.name.toUpperCase())].join(':');
    output.fail(`--pattern ${shown(text)}: too many numbers; write ${usage}`);
  }
  const given = values.map((value, i) => {
    if (!DECIMAL.test(value))
      output.fail(`--pattern ${shown(text)}: ${parameters[i]!.name} takes a number, not '${shown(value)}'`);
    return [parameters[i]!.name, Number(value)] as const;
  });
  return { kind: name, ...Object.fromEntries(given) };
}

/** `load=4,store=2,wbinvd=0.001`. */
function parseMix(output: Output, text: string): Record<string, number> {
  const mix: Record<string, number> = {};
  for (const term of text.split(',')) {
    const [name = '', weight, ...more] = term.split('=').map((part) => part.trim());
    if (weight === undefined || more.length > 0)
      output.fail(`--mix takes OPERATION=WEIGHT,…, such as load=4,store=2,wbinvd=0.001, not '${shown(term)}'`);
    const operation = chooseOperation(output, name);
    if (!DECIMAL.test(weight))
      output.fail(`--mix ${shown(term)}: the weight is a number from 0 to ${MAX_WEIGHT}, such as 4 or 0.001`);
    if (operation in mix) output.fail(`--mix: ${operation} is there twice: give each operation once`);
    mix[operation] = Number(weight);
  }
  return mix;
}

function parsePackages(output: Output, text: string): number {
  const packages = /^\d$/.test(text) ? Number(text) : 0;
  return packages >= 1 && packages <= 8 ? packages : output.fail(`--packages takes a number from 1 to 8, not '${shown(text)}'`);
}

function parseHardware(output: Output, settings: readonly string[]): NonNullable<PartialProgram['hardware']> {
  const hardware: Record<string, KnobValue> = {};
  refuseTwice(output, settings);
  for (const [knob, value] of Object.entries(parseSettings(output, settings))) {
    const names = Object.keys(STRESS_KNOBS);
    if (!names.includes(knob))
      output.fail(`--set ${knob}: a stress program has no software${suggestion(knob, names)}; valid: ${names.join(', ')}`);
    if (value === 'by-model') output.fail(`--set ${knob}=by-model: a stress program has no CPU model: give on or off`);
    hardware[STRESS_KNOBS[knob as StressKnob]] = fieldValue(value);
  }
  return hardware;
}

function refuseTwice(output: Output, settings: readonly string[]): void {
  const names = settings.map((setting) => setting.split('=')[0]!);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) output.fail(`--set ${shown(twice)} is given twice: give each knob once`);
}
