/** What `seamline stress` does, once it is known to be asked for. */
import { compileCore } from '../../lab/core-module.ts';
import { STRESS_SHARDS } from '../../lab/stress/index.ts';
import { CliExit, Output, type Streams } from '../output.ts';
import { listJson, printList } from './list.ts';
import { parseJob, type StressFlags } from './options.ts';
import { type Job, workerFile } from './pool.ts';
import { showProgress } from './progress.ts';
import { printReport, reportJson } from './report.ts';
import { type Ran, runJob } from './run.ts';
import { Scoreboard } from './scoreboard.ts';
import { SIGNAL_STATUS } from './signals.ts';
import { stopMessage } from './stop.ts';

/** The world outside, for tests. */
export interface StressHost {
  readonly streams: Streams;
  /** Another compiled worker than the one beside this file. */
  readonly worker?: URL;
  /** Cores of this computer, if other than what the operating system says. */
  readonly cores?: number;
}

/** Checks, runs, reports. Throws {@link CliExit} for every exit status but 0. */
export async function runStress(file: string | undefined, flags: StressFlags, host: StressHost): Promise<void> {
  const output = new Output(host.streams);
  if (flags.list) return list(output, file, flags);
  refuseLostDirectory(output);
  const job = parseJob(output, file, flags, host.cores);
  const ran = await runShown(output, job, host);
  if (flags.json) output.json(reportJson(job, ran));
  else printReport(output, job, ran);
  if (ran.stop?.reason === 'interrupted') throw new CliExit(SIGNAL_STATUS[ran.stop.signal]);
  if (ran.stop) output.fail(stopMessage(job, ran.stop));
}

function list(output: Output, file: string | undefined, flags: StressFlags): void {
  const others = Object.keys(flags).filter((name) => name !== 'list' && name !== 'json');
  if (file !== undefined || others.length > 0) output.fail('--list runs nothing: give it alone, or with --json');
  if (flags.json) output.json(listJson());
  else printList(output);
}

/** Worker threads cannot start where there is no directory. */
function refuseLostDirectory(output: Output): void {
  try {
    process.cwd();
  } catch {
    output.fail('the current directory does not exist any more: cd to another one');
  }
}

/** With the line that lives while the run does, on stderr: stdout is for the results. */
async function runShown(output: Output, job: Job, host: StressHost): Promise<Ran> {
  const board = new Scoreboard({ shards: STRESS_SHARDS });
  const wipe = showProgress(host.streams.stderr, board, job.operations);
  try {
    return await runJob(job, compileCore(), board, host.worker ?? workerFile);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    wipe();
    return output.fail('the host has no room for the worker threads: try --workers 1, or a higher limit (ulimit -v)');
  } finally {
    wipe();
  }
}

/** What Node says when the operating system gives no memory or no thread. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  /^ERR_WORKER_(INIT_FAILED|OUT_OF_MEMORY)$|^EAGAIN$/.test(String((error as NodeJS.ErrnoException).code));
