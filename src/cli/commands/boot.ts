import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import type { Command } from 'commander';
import { type BootOptions, boot } from '../../lab/boot.ts';
import { defaultFirmware } from '../../lab/firmware.ts';
import { KnobError, parseKnob } from '../../lab/knobs.ts';
import type { BootReport } from '../../lab/report.ts';
import { errnoByName } from '../../spec/errno.ts';
import type { KnobValue } from '../../spec/knob.ts';
import { bootJson, printSummary, stepHeader, stepLine } from '../boot-output.ts';
import { loadFirmware, type ReadFile, readFileUpTo } from '../firmware.ts';
import { CliExit, Output, type Streams, suggestion } from '../output.ts';
import { chooseProfile } from './profile.ts';

/** The world outside, for tests. */
export interface BootHost {
  readonly streams: Streams;
  readonly readFile: ReadFile;
}

interface Flags {
  readonly firmware?: string;
  readonly seed: string;
  readonly profile: string;
  readonly set: readonly string[];
  readonly expect?: string;
  readonly trace?: string;
  readonly json?: boolean;
}

/** What `--expect` accepts as a success. */
type Expectation = (report: BootReport) => boolean;

const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];

/** Adds `boot`: the main job, from power-on to an attested TD and back. */
export function registerBoot(program: Command, host: BootHost = { streams: process, readFile: readFileUpTo }): void {
  program
    .command('boot')
    .description('run the main job: power-on, Linux, KVM, an attested TD, teardown, kexec')
    .option('--firmware <file>', 'TDVF image; default: a small one that Seamline builds')
    .option('--seed <number>', '64-bit seed of every random stream', '1')
    .option('--profile <name>', 'version of the software', '7.1')
    .option('--set <knob=value>', 'change a rule (repeatable; see seamline knobs)', collect, [])
    .option('--expect <outcome>', 'ok, mc, or errno=NAME: exit status 0 if and only if the run ends so')
    .option('--trace <file>', 'write a trace that opens in the Perfetto UI')
    .option('--json', 'print JSON')
    .action((flags: Flags) => run(flags, host));
}

function run(flags: Flags, host: BootHost): void {
  const output = new Output(host.streams);
  const expectation = parseExpectation(output, flags.expect);
  const options = bootOptions(output, flags, host);
  const trace = flags.trace === undefined ? null : openTrace(output, flags.trace);
  const started = performance.now();
  const report = boot({ ...options, ...(!flags.json && liveSteps(output, host.streams)), ...(trace && { trace: trace.write }) });
  const wallMs = performance.now() - started;
  trace?.commit();
  if (flags.json)
    output.json(bootJson(report, { wallMs: Math.round(wallMs), firmware: flags.firmware ?? null, trace: flags.trace ?? null }));
  else {
    output.line();
    printSummary(output, report, wallMs);
  }
  if (!expectation(report)) throw new CliExit(1);
}

function bootOptions(output: Output, flags: Flags, host: BootHost): BootOptions {
  const profile = chooseProfile(output, flags.profile);
  return {
    seed: parseSeed(output, flags.seed),
    profile: profile.name,
    knobs: parseSettings(output, flags.set),
    firmware:
      flags.firmware === undefined
        ? { name: 'embedded default', bytes: defaultFirmware() }
        : { name: flags.firmware, bytes: loadFirmware(flags.firmware, output, host.readFile).bytes },
  };
}

/** A 64-bit seed in decimal or hexadecimal. */
export function parseSeed(output: Output, text: string): bigint {
  if (!/^(\d{1,20}|0x[0-9a-f]{1,16})$/i.test(text)) output.fail(`--seed takes a number from 0 to 2^64-1, not '${text}'`);
  const seed = BigInt(text);
  if (seed >> 64n !== 0n) output.fail(`--seed takes a number from 0 to 2^64-1, not '${text}'`);
  return seed;
}

/** `KNOB=VALUE` settings, each checked. */
export function parseSettings(output: Output, settings: readonly string[]): Record<string, KnobValue> {
  return Object.fromEntries(settings.map((setting) => parseSetting(output, setting)));
}

function parseSetting(output: Output, setting: string): [string, KnobValue] {
  const at = setting.indexOf('=');
  if (at < 1) output.fail(`--set takes KNOB=VALUE, not '${setting}'`);
  const name = setting.slice(0, at);
  try {
    return [name, parseKnob(name, setting.slice(at + 1))];
  } catch (error) {
    if (!(error instanceof KnobError)) throw error;
    return output.fail(`${error.message}${suggestion(error.given, error.valid)}; see seamline knobs`);
  }
}

function parseExpectation(output: Output, text: string | undefined): Expectation {
  const errno = text?.startsWith('errno=') ? text.slice('errno='.length).replace(/^-/, '') : undefined;
  if (errno !== undefined) {
    if (errnoByName(errno) === undefined) output.fail(`--expect errno=${errno}: there is no such errno; for example errno=EIO`);
    return (report) => report.verdict.kind === 'errno' && report.verdict.errno === `-${errno}`;
  }
  const kind = output.choose('expectation', text ?? 'ok', ['ok', 'mc', 'errno=NAME'] as const);
  return (report) => report.verdict.kind === kind;
}

/** Steps appear while they run; on a terminal the running one is shown first. */
function liveSteps(output: Output, streams: Streams): Pick<BootOptions, 'onStepBegin' | 'onStep'> {
  const terminal = Boolean(streams.stdout.isTTY);
  output.line(output.colors.dim(stepHeader()));
  return {
    onStepBegin: (phase, name) => {
      if (terminal) streams.stdout.write(output.colors.dim(`${phase.padEnd(9)} ${name} …`));
    },
    onStep: (step) => {
      if (terminal) streams.stdout.write('\r\u001b[2K');
      output.line(stepLine(step, output.colors));
    },
  };
}

interface TraceFile {
  readonly write: (chunk: string) => void;
  readonly commit: () => void;
}

/** Opened before anything runs, written beside its final name, renamed when complete: never half a trace. */
function openTrace(output: Output, path: string): TraceFile {
  const partial = `${path}.partial`;
  let fd: number;
  try {
    fd = openSync(partial, 'w');
  } catch (error) {
    return output.fail(`cannot write the trace ${path}: ${(error as Error).message.split(',')[0]}; choose another path`);
  }
  return {
    write: (chunk) => {
      writeSync(fd, chunk);
    },
    commit: () => {
      closeSync(fd);
      try {
        renameSync(partial, path);
      } catch (error) {
        rmSync(partial, { force: true });
        output.fail(`cannot write the trace ${path}: ${(error as Error).message.split(',')[0]}; choose another path`);
      }
    },
  };
}
