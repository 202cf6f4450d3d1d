/** How a run of a stress program looks when it is over: for eyes, and as JSON. */
import type { StressProgram, StressResult } from '../../lab/stress/index.ts';
import type { Output } from '../output.ts';
import { HARDWARE_KNOBS } from './options.ts';
import type { Job } from './pool.ts';
import { bytes, duration, exactBytes, grouped, percent, short } from './quantities.ts';
import type { Ran, Stop } from './run.ts';

const LABEL = 13;

/** Program, operations, faults, rate, memory, digest. */
export function printReport(output: Output, job: Job, ran: Ran): void {
  printProgram(output, job.program);
  if (ran.sum !== null) {
    printCounts(output, 'operations', ran.sum.byOperation, ran.sum.operations);
    printCounts(output, 'faults', ran.sum.faults, ran.sum.operations);
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
    [
      'knobs',
      [
        ...Object.entries(HARDWARE_KNOBS).map(([name, field]) => `${name}=${knob(hardware[field])}`),
        `maxPhysAddrBits=${hardware.maxPhysAddrBits}`,
      ].join(' '),
    ],
  ];
}

function printCounts(output: Output, title: string, counts: Readonly<Record<string, number>>, operations: number): void {
  const rows = Object.entries(counts).filter(([, count]) => count > 0);
  output.line(output.colors.bold(title));
  if (rows.length === 0) output.line('  none');
  const width = Math.max(...rows.map(([, count]) => grouped(count).length));
  for (const [name, count] of rows) {
    output.line(`  ${name.padEnd(18)} ${grouped(count).padStart(width)}  ${output.colors.dim(percent(count, operations))}`);
  }
  output.line();
}

function printSum(output: Output, job: Job, { shards, wallMs }: Ran, sum: StressResult): void {
  const seconds = wallMs / 1000;
  output.line(
    `${grouped(sum.operations)} operations in ${duration(seconds)} wall time, ${short(sum.operations / seconds)}/s with ` +
      `${counted(job.workers, 'worker')}, ${bytes(sum.memoryUsed)} of Wasm memory in ${counted(shards.length, 'shard')}`,
  );
  output.line(`${output.colors.bold('digest')}  ${sum.digest}`);
}

function printStop(output: Output, job: Job, { sum }: Ran, { reason }: Stop): void {
  const { bold, yellow } = output.colors;
  const done = sum?.operations ?? 0;
  const far = `${STOPPED[reason]} after ${grouped(done)} of ${grouped(job.operations)} operations (${percent(done, job.operations)})`;
  const digest = sum === null ? 'nothing to take a digest of' : 'the digest is of what each shard had done by then';
  output.line(yellow(`${bold('incomplete')}: ${far}; ${digest}`));
}

const STOPPED: Readonly<Record<Stop['reason'], string>> = { interrupted: 'interrupted', 'out-of-memory': 'out of memory' };

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const hex64 = (value: number | bigint | string): string => `0x${BigInt(value).toString(16).padStart(16, '0')}`;

/** `program` may be written to a file and run again. All but `host` is the same wherever a complete run is repeated. */
export function reportJson(job: Job, ran: Ran): unknown {
  const { sum, shards, stop, wallMs } = ran;
  return {
    schema: 'seamline/stress/1',
    program: { ...job.program, seed: hex64(job.program.seed) },
    requested: job.operations,
    operations: sum?.operations ?? 0,
    complete: stop === null,
    stopped: stop && stopJson(stop),
    byOperation: sum?.byOperation ?? null,
    faults: sum?.faults ?? null,
    digest: sum?.digest ?? null,
    provenanceDigest: sum?.provenanceDigest ?? null,
    counters: sum?.counters ?? null,
    shards: shards.map(({ shard, operations, digest }) => ({ index: shard?.index, operations, digest })),
    host: {
      wallMs: Math.round(wallMs),
      operationsPerSecond: sum && Math.round(sum.operations / (wallMs / 1000)),
      workers: job.workers,
      memoryUsed: sum?.memoryUsed ?? null,
      maxMemoryBytes: job.maxMemoryBytes,
    },
  };
}

/** `message` is for stderr. */
function stopJson(stop: Stop): unknown {
  if (stop.reason === 'interrupted') return stop;
  const { message: _, ...facts } = stop;
  return facts;
}
