/** How a run of a stress program looks when it is over: for eyes, and as JSON. */
import { STRESS_FAULTS, STRESS_KNOBS, type StressProgram, type StressResult } from '../../lab/stress/index.ts';
import type { Output } from '../output.ts';
import type { Job } from './pool.ts';
import { alignedPercent, bytes, counted, duration, exactBytes, grouped, percent, short } from './quantities.ts';
import type { Ran, Stop } from './run.ts';
import { memoryLimit, stopMessage } from './stop.ts';

const LABEL = 13;

/** Program, operations, faults, rate, memory, digest. */
export function printReport(output: Output, job: Job, ran: Ran): void {
  printProgram(output, job.program);
  if (ran.sum !== null) {
    printCounts(output, 'operations', ran.sum.byOperation, ran.sum.operations);
    printCounts(output, 'faults', faultsOf(ran.sum), ran.sum.operations);
    printSum(output, job, ran, ran.sum);
  }
  if (ran.stop !== null) printStop(output, job, ran, ran.stop);
}

function printProgram(output: Output, program: StressProgram): void {
  output.line(output.colors.bold('program'));
  for (const [label, text] of programRows(program)) {
    const [first = '', ...more] = output.wrap(text, LABEL + 2);
    output.line(`  ${label.padEnd(LABEL)}${first}`);
    for (const rest of more) output.line(' '.repeat(LABEL + 2) + rest);
  }
  output.line();
}

function programRows(program: StressProgram): [label: string, text: string][] {
  const { pattern, mix, keyIds, hardware } = program;
  const { kind, ...parameters } = pattern;
  const weights = Object.entries(mix).filter(([, weight]) => weight > 0);
  const knob = (value: unknown): string => (typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value));
  return [
    ['pattern', [kind, ...Object.entries(parameters).map(([name, value]) => `${name} ${value}`)].join(', ')],
    ['mix', weights.map(([name, weight]) => `${name} ${weight}`).join(', ')],
    ['footprint', `${exactBytes(program.footprint)} from 0x${program.base.toString(16)} on`],
    [
      'regions',
      `${program.region === 0 ? 'sized by footprint' : exactBytes(program.region)}, ${program.prepare ? 'written' : 'not written'} by their KeyID before the start`,
    ],
    ['packages', String(program.packages)],
    [
      'KeyIDs',
      `0, ${keyIds.shared} shared, ${keyIds.private} private; private memory ${percent(keyIds.privateShare, 1)}, operations through any KeyID ${percent(keyIds.cross, 1)}`,
    ],
    ['guest pages', String(program.guestPages)],
    ['seed', hex64(program.seed)],
    ['address', `${hardware.maxPhysAddrBits} bits (maxPhysAddrBits)`],
    [
      'knobs',
      Object.entries(STRESS_KNOBS)
        .map(([name, field]) => `${name}=${knob(hardware[field])}`)
        .join(' '),
    ],
  ];
}

function printCounts(output: Output, title: string, counts: Readonly<Record<string, number>>, operations: number): void {
  const rows = Object.entries(counts).filter(([, count]) => count > 0);
  output.line(output.colors.bold(title));
  if (rows.length === 0) output.line('  none');
  const cells = rows.map(([name, count]) => [name, grouped(count), alignedPercent(count, operations)] as const);
  const width = (column: 1 | 2): number => Math.max(...cells.map((row) => row[column].length));
  for (const [name, count, part] of cells) {
    const share = output.colors.dim(part.padStart(width(2)));
    output.line(`  ${name.padEnd(18)} ${count.padStart(width(1))}  ${share}`);
  }
  output.line();
}

function printSum(output: Output, job: Job, { wallMs, shards, peakMemory, repeatable }: Ran, sum: StressResult): void {
  const seconds = wallMs / 1000;
  output.line(
    `${counted(sum.operations, 'operation')} in ${duration(seconds)} wall time, ${short(sum.operations / seconds)}/s with ` +
      `${counted(job.workers, 'worker')} on ${counted(shards.length, 'shard')}, at most ${bytes(peakMemory)} of Wasm memory at a time`,
  );
  if (repeatable) output.line(`${output.colors.bold('digest')}  ${sum.digest}`);
}

function printStop(output: Output, job: Job, { sum, repeatable }: Ran, stop: Stop): void {
  const { bold, yellow } = output.colors;
  const done = sum?.operations ?? 0;
  const far = `after ${grouped(done)} of ${counted(job.operations, 'operation')} (${percent(done, job.operations)})`;
  const digest = repeatable
    ? `the digest is that of any run with --max-memory ${memoryLimit(job)}`
    : 'no digest: another run would stop elsewhere';
  output.line(yellow(`${bold('incomplete')}: ${why(stop)} ${far}; ${done === 0 ? 'no digest: nothing has been done' : digest}`));
}

function why(stop: Stop): string {
  if (stop.reason === 'interrupted') return 'interrupted';
  if (stop.facts.shortage === 'host') return 'ended by the host';
  const what = stop.facts.shortage === 'generations' ? 'keys' : 'memory';
  return `${counted(stop.shards.length, 'shard')} out of ${what}`;
}

/** In the order of `--list`. */
const faultsOf = ({ faults }: StressResult): StressResult['faults'] =>
  Object.fromEntries(STRESS_FAULTS.map(({ name }) => [name, faults[name]])) as StressResult['faults'];

const hex64 = (value: number | bigint | string): string => `0x${BigInt(value).toString(16).padStart(16, '0')}`;

/** A program as its file has it. */
export const programJson = (program: StressProgram): unknown => ({ ...program, seed: hex64(program.seed) });

/**
 * May be given back as PROGRAM.json. All but `host` is the same wherever a run is repeated that is complete, or that ended with its
 * memory and has the same limit.
 */
export function reportJson(job: Job, ran: Ran): unknown {
  const { sum, shards, stop, wallMs, repeatable, peakMemory } = ran;
  return {
    schema: 'seamline/stress/2',
    program: programJson(job.program),
    requested: job.operations,
    operations: sum?.operations ?? 0,
    complete: stop === null,
    stopped: stop && stopJson(job, stop),
    byOperation: sum?.byOperation ?? null,
    faults: sum && faultsOf(sum),
    digest: repeatable ? sum!.digest : null,
    provenanceDigest: repeatable && job.program.hardware.provenance ? sum!.provenanceDigest : null,
    counters: sum?.counters ?? null,
    shards: shards.map(({ shard, operations, digest }) => ({ index: shard?.index, operations, digest })),
    host: {
      wallMs: Math.round(wallMs),
      operationsPerSecond: sum && Math.round(sum.operations / (wallMs / 1000)),
      workers: job.workers,
      peakMemoryBytes: peakMemory,
      maxShardMemoryBytes: job.maxMemoryBytes,
    },
  };
}

/** What is said of one shard is the first one's that had no room. */
function stopJson(job: Job, stop: Stop): unknown {
  const message = stopMessage(job, stop);
  if (stop.reason === 'interrupted') return { ...stop, message };
  const { reason, shards, facts } = stop;
  return {
    reason,
    message,
    shortage: facts.shortage,
    shards,
    shard: {
      operations: facts.operations,
      memoryBytes: facts.memoryUsed,
      maxMemoryBytes: facts.memoryLimit,
      footprintBytes: facts.footprint,
      touchedBytes: facts.touched,
    },
    fittingFootprintBytes: facts.fits,
  };
}
