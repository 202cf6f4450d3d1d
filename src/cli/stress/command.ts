/** What `seamline stress` does, once it is known to be asked for. */
import { compileCore } from '../../lab/core-module.ts';
import { STRESS_SHARDS } from '../../lab/stress/index.ts';
import { CliExit, Output, type Streams } from '../output.ts';
import { listJson, printList } from './list.ts';
import { parseJob, type StressFlags, WASM_LIMIT } from './options.ts';
import { workerFile } from './pool.ts';
import { showProgress } from './progress.ts';
import { printReport, reportJson } from './report.ts';
import { runJob, type Stop } from './run.ts';
import { Scoreboard } from './scoreboard.ts';
import { SIGNAL_STATUS } from './signals.ts';

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
  if (flags.list) {
    if (flags.json) output.json(listJson());
    else printList(output);
    return;
  }
  const job = parseJob(output, file, flags, host.cores);
  const board = new Scoreboard({ shards: STRESS_SHARDS });
  const wipe = flags.json ? () => {} : showProgress(host.streams.stdout, board, job.operations);
  const ran = await runJob(job, compileCore(), board, host.worker ?? workerFile).finally(wipe);
  if (flags.json) output.json(reportJson(job, ran));
  else printReport(output, job, ran);
  if (ran.stop) end(output, ran.stop, job.maxMemoryBytes < WASM_LIMIT);
}

function end(output: Output, stop: Stop, mayGrow: boolean): never {
  if (stop.reason === 'interrupted') throw new CliExit(SIGNAL_STATUS[stop.signal]);
  const more = mayGrow ? 'a larger --max-memory, ' : '';
  return output.fail(`${stop.message}: give ${more}a smaller --footprint, fewer --ops, or a --pattern that meets fewer lines`);
}
