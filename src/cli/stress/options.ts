/** The flags of `stress`: each checked before anything starts, and put over the file's or the preset's program. */
import { availableParallelism } from 'node:os';
import {
  completeStressProgram,
  DEFAULT_STRESS_PROGRAM,
  STRESS_PRESETS,
  STRESS_SHARDS,
  type StressHardware,
  StressMisuse,
  type StressProgram,
} from '../../lab/stress/index.ts';
import type { KnobValue } from '../../spec/knob.ts';
import { type Output, suggestion } from '../output.ts';
import { parseSeed, parseSettings } from '../run-options.ts';
import type { Job } from './pool.ts';
import { chooseOperation, choosePattern, loadProgram, type PartialProgram } from './program-file.ts';
import { decimalUnit, parseCount, parseSize } from './quantities.ts';

export interface StressFlags {
  readonly preset?: string;
  readonly pattern?: string;
  readonly mix?: string;
  readonly ops: string;
  readonly footprint?: string;
  readonly packages?: string;
  readonly seed?: string;
  readonly set?: readonly string[];
  readonly workers?: string;
  readonly maxMemory?: string;
  readonly json?: boolean;
  readonly list?: boolean;
}

/** What one Wasm memory holds. */
export const WASM_LIMIT = 2 ** 32 - 2 ** 16;
/** The smallest machine. */
const LEAST_MEMORY = 2 ** 21;
/** First byte behind the widest physical address. */
const ADDRESS_END = 2 ** 52;
/** Part of this computer's memory that all workers together may fill. */
const HOST_SHARE = 0.9;

/** Program and extent of a run, or one line and exit status 2. */
export function parseJob(output: Output, file: string | undefined, flags: StressFlags, cores = availableParallelism()): Job {
  const operations = parseOps(output, flags.ops);
  const workers = parseWorkers(output, flags.workers, cores);
  const maxMemoryBytes = parseMaxMemory(output, flags.maxMemory, workers);
  return { program: parseProgram(output, file, flags), operations, workers, maxMemoryBytes };
}

function parseOps(output: Output, text: string): number {
  const operations = parseCount(text);
  if (operations !== undefined && operations > Number.MAX_SAFE_INTEGER)
    output.fail(`--ops ${text}: give at most ${Number.MAX_SAFE_INTEGER} operations (2^53 - 1)`);
  if (operations !== undefined && operations >= 1) return operations;
  return output.fail(`--ops takes a whole number of operations, 1 or more, such as 1e9, 500M or 1000000, not '${text}'`);
}

function parseWorkers(output: Output, text: string | undefined, cores: number): number {
  const most = Math.min(cores, STRESS_SHARDS);
  if (text === undefined) return most;
  const workers = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (workers > cores)
    output.fail(`--workers ${text}: this machine has ${cores} ${cores === 1 ? 'core' : 'cores'}: give at most ${most}`);
  if (workers > STRESS_SHARDS)
    output.fail(`--workers ${text}: the work is cut into ${STRESS_SHARDS} shards: give at most ${most}`);
  if (workers < 1) output.fail(`--workers takes a whole number from 1 to ${most}, not '${text}'`);
  return workers;
}

/** Without the flag: as much as a Wasm memory holds, but all workers together no more than this computer has. */
function parseMaxMemory(output: Output, text: string | undefined, workers: number): number {
  const host = Math.floor((process.availableMemory() * HOST_SHARE) / workers);
  if (text === undefined) return Math.max(LEAST_MEMORY, Math.min(WASM_LIMIT, host));
  const size = parseBytes(output, '--max-memory', text);
  if (size < LEAST_MEMORY || size > 2 ** 32)
    output.fail(`--max-memory takes 2MiB to 4GiB, the most that one Wasm memory holds, not '${text}'`);
  return Math.min(size, WASM_LIMIT);
}

function parseBytes(output: Output, flag: string, text: string): number {
  const size = parseSize(text);
  if (size !== undefined && size >= ADDRESS_END)
    output.fail(`${flag} ${text}: no physical address is wider than 52 bits: give less than 4PiB`);
  if (size !== undefined) return size;
  const unit = decimalUnit(text);
  return output.fail(
    unit === undefined
      ? `${flag} takes a whole number of bytes such as 64GiB, 512MiB or 4096, not '${text}'`
      : `${flag} takes binary units: write ${unit}iB for 1024s, not '${text}'`,
  );
}

function parseProgram(output: Output, file: string | undefined, flags: StressFlags): StressProgram {
  if (file !== undefined && flags.preset !== undefined)
    output.fail(`a program file and --preset ${flags.preset} are two programs: give one of them`);
  const from = flags.preset === undefined ? DEFAULT_STRESS_PROGRAM : choosePreset(output, flags.preset);
  const written = file === undefined ? {} : loadProgram(file, output);
  const given = fromFlags(output, flags);
  const hardware = { ...written.hardware, ...given.hardware };
  try {
    return completeStressProgram({ ...written, ...given, hardware }, from);
  } catch (error) {
    if (!(error instanceof StressMisuse)) throw error;
    // With flags over it, a file is not to blame alone.
    const alone = file !== undefined && Object.keys(given).length === 0;
    return output.fail(`${alone ? `${file}: ` : ''}${error.message}`);
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
    output.fail(`--pattern ${text}: too many numbers; write ${usage}`);
  }
  const given = values.map((value, i) => {
    if (!DECIMAL.test(value)) output.fail(`--pattern ${text}: ${parameters[i]!.name} takes a number, not '${value}'`);
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
      output.fail(`--mix takes OPERATION=WEIGHT,…, such as load=4,store=2,wbinvd=0.001, not '${term}'`);
    const operation = chooseOperation(output, name);
    if (!DECIMAL.test(weight)) output.fail(`--mix ${term}: the weight is a number, 0 or more, such as 4 or 0.001`);
    if (operation in mix) output.fail(`--mix: ${operation} is there twice: give each operation once`);
    mix[operation] = Number(weight);
  }
  return mix;
}

function parsePackages(output: Output, text: string): number {
  const packages = /^\d$/.test(text) ? Number(text) : 0;
  return packages >= 1 && packages <= 8 ? packages : output.fail(`--packages takes a number from 1 to 8, not '${text}'`);
}

/** The knobs that a stress program has, by the field that they set. */
export const HARDWARE_KNOBS: Readonly<Record<string, keyof StressHardware>> = {
  'hw.tdBit': 'tdBit',
  'hw.integrity': 'integrity',
  'hw.sharedIntegrity': 'sharedIntegrity',
  'hw.macBits': 'macBits',
  'hw.checkOrder': 'checkOrder',
  'hw.unprogrammedKey': 'unprogrammedKey',
  'cpu.erratum.pwMce': 'partialWriteErratum',
  'hw.aesBits': 'aesBits',
  'hw.cache.sets': 'cacheSets',
  'hw.cache.ways': 'cacheWays',
  'hw.cache.policy': 'cachePolicy',
  'hw.crypto': 'crypto',
  'hw.provenance': 'provenance',
};

/** A knob's value as the program has it: on and off are booleans there, a key length is a number. */
const HARDWARE_VALUES: Readonly<Record<string, boolean | number>> = { on: true, off: false, '128': 128, '256': 256 };

function parseHardware(output: Output, settings: readonly string[]): NonNullable<PartialProgram['hardware']> {
  const hardware: Record<string, KnobValue> = {};
  for (const [knob, value] of Object.entries(parseSettings(output, settings))) {
    const field = HARDWARE_KNOBS[knob];
    const names = Object.keys(HARDWARE_KNOBS);
    if (field === undefined)
      output.fail(`--set ${knob}: a stress program has no software${suggestion(knob, names)}; valid: ${names.join(', ')}`);
    if (value === 'by-model') output.fail(`--set ${knob}=by-model: a stress program has no CPU model: give on or off`);
    hardware[field] = HARDWARE_VALUES[String(value)] ?? value;
  }
  return hardware;
}
