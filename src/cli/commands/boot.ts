import type { Command } from 'commander';
import { type BootOptions, boot } from '../../lab/boot.ts';
import { defaultFirmware } from '../../lab/firmware.ts';
import type { MachineOptions } from '../../lab/machine.ts';
import type { BootReport } from '../../lab/report.ts';
import * as errnos from '../../spec/errno.ts';
import { bootJson, printSummary, stepHeader, stepLine } from '../boot-output.ts';
import { loadFirmware, type ReadFile, readFileUpTo, refuseUnloadable } from '../firmware.ts';
import { CliExit, Output, type Streams, suggestion } from '../output.ts';
import { addRunOptions, chooseProfile, parseSeed, parseSettings, type RunFlags } from '../run-options.ts';
import { openTrace } from '../trace-file.ts';

/** The world outside, for tests. */
export interface BootHost {
  readonly streams: Streams;
  readonly readFile: ReadFile;
  /** Another machine than the two-package one. */
  readonly memoryMap?: MachineOptions['memoryMap'];
}

interface Flags extends RunFlags {
  readonly firmware?: string;
  readonly seed: string;
  readonly expect?: string;
  readonly trace?: string;
  readonly json?: boolean;
}

/** What `--expect` accepts as a success. */
type Expectation = (report: BootReport) => boolean;

const ERRNO_NAMES = Object.keys(errnos).filter((name) => /^E[A-Z\d]+$/.test(name));

/** Adds `boot`: the main job, from power-on to an attested TD and back. */
export function registerBoot(program: Command, host: BootHost = { streams: process, readFile: readFileUpTo }): void {
  const command = program
    .command('boot')
    .description('run the main job: power-on, Linux, KVM, an attested TD, teardown, kexec')
    .option('--firmware <file>', 'TDVF image; default: a small one that Seamline builds')
    .option('--seed <number>', '64-bit seed of every random stream', '1');
  addRunOptions(command)
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
  const live = flags.json ? null : liveSteps(output, host.streams);
  const started = performance.now();
  let report: BootReport;
  try {
    report = boot({ ...options, ...live, ...(trace && { trace: trace.write }) });
  } catch (error) {
    trace?.discard();
    live?.abandon();
    throw error;
  }
  const wallMs = performance.now() - started;
  trace?.commit();
  if (flags.json)
    output.json(bootJson(report, { wallMs: Math.round(wallMs), firmware: flags.firmware ?? null, trace: flags.trace ?? null }));
  else {
    output.line();
    printSummary(output, report, wallMs);
  }
  if (expectation(report)) return;
  if (flags.expect !== undefined) output.warn(`--expect ${flags.expect}: the run ended with ${ending(report)}`);
  throw new CliExit(1);
}

const ending = ({ verdict }: BootReport): string => (verdict.kind === 'errno' ? `errno=${verdict.errno.slice(1)}` : verdict.kind);

function bootOptions(output: Output, flags: Flags, host: BootHost): BootOptions {
  const profile = chooseProfile(output, flags.profile);
  return {
    seed: parseSeed(output, flags.seed),
    ...(host.memoryMap && { memoryMap: host.memoryMap }),
    profile: profile.name,
    knobs: parseSettings(output, flags.set),
    firmware:
      flags.firmware === undefined
        ? { name: 'embedded default', bytes: defaultFirmware() }
        : { name: flags.firmware, bytes: bootableFirmware(flags.firmware, output, host.readFile) },
  };
}

/** Refused before anything runs, when the VMM could not load it. */
function bootableFirmware(path: string, output: Output, readFile: ReadFile): Uint8Array {
  const firmware = loadFirmware(path, output, readFile);
  refuseUnloadable(path, firmware, output);
  return firmware.bytes;
}

function parseExpectation(output: Output, text: string | undefined): Expectation {
  const errno = text?.startsWith('errno=') ? text.slice('errno='.length).replace(/^-/, '') : undefined;
  if (errno !== undefined) {
    if (!ERRNO_NAMES.includes(errno))
      output.fail(`--expect errno=${errno}: there is no such errno${suggestion(errno, ERRNO_NAMES)}; for example errno=EIO`);
    return (report) => report.verdict.kind === 'errno' && report.verdict.errno === `-${errno}`;
  }
  const kind = output.choose('expectation', text ?? 'ok', ['ok', 'mc', 'errno=NAME'] as const);
  return (report) => report.verdict.kind === kind;
}

/** Steps appear while they run; on a terminal the running one is shown first. `abandon` wipes it when the run breaks off. */
function liveSteps(output: Output, streams: Streams): Pick<BootOptions, 'onStepBegin' | 'onStep'> & { abandon: () => void } {
  const terminal = Boolean(streams.stdout.isTTY);
  const wipe = () => {
    if (terminal) streams.stdout.write('\r\u001b[2K');
  };
  let titled = false;
  const title = () => {
    if (!titled) output.line(output.colors.dim(stepHeader()));
    titled = true;
  };
  return {
    onStepBegin: (phase, name) => {
      title();
      if (!terminal) return;
      wipe();
      streams.stdout.write(
        output.colors.dim(`${phase.padEnd(9)} ${name} …`.slice(0, (output.width ?? Number.POSITIVE_INFINITY) - 1)),
      );
    },
    onStep: (step) => {
      title();
      wipe();
      output.line(stepLine(step, output.colors));
    },
    abandon: wipe,
  };
}
