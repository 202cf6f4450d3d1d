/** How a run of the main job looks: one aligned line a step while it runs, then the summary; and the same as JSON. */

import { deviations } from '../lab/knobs.ts';
import type { BootReport, StepRecord } from '../lab/report.ts';
import type { Colors, Output } from './output.ts';

const PHASE_WIDTH = 9;
const NAME_WIDTH = 58;
const SECTION_INDENT = 2;
/** A line that goes on is indented to the text behind its number. */
const CONTINUED_INDENT = 4;

export const milliseconds = (ns: number): string => `${(ns / 1e6).toFixed(3)} ms`;
const grouped = (value: number): string => value.toLocaleString('en');
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

const OUTCOME: Readonly<Record<StepRecord['outcome'], (colors: Colors) => string>> = {
  ok: (colors) => colors.green('ok'),
  failed: (colors) => colors.red('failed'),
  skipped: (colors) => colors.dim('skipped'),
  lost: (colors) => colors.red('LP lost'),
};

/** Title of the step list. */
export const stepHeader = (): string =>
  `${'phase'.padEnd(PHASE_WIDTH)} ${'step'.padEnd(NAME_WIDTH)} ${'virtual time'.padStart(14)} ${'SEAMCALLs'.padStart(9)}  outcome`;

export function stepLine(step: StepRecord, colors: Colors): string {
  const head = `${colors.dim(step.phase.padEnd(PHASE_WIDTH))} ${step.name.padEnd(NAME_WIDTH)}`;
  const numbers = `${milliseconds(step.end).padStart(14)} ${(step.seamcalls > 0 ? grouped(step.seamcalls) : '').padStart(9)}`;
  return `${head} ${numbers}  ${OUTCOME[step.outcome](colors)}${step.detail ? colors.dim(`  ${step.detail}`) : ''}`;
}

/** What follows the steps. */
export function printSummary(output: Output, report: BootReport, wallMs: number): void {
  printLogs(output, report);
  printChain(output, report);
  printAttestation(output, report);
  printCounters(output, report);
  printFindings(output, report);
  output.line(
    `simulated machine ${mebibytes(report.memoryUsed)} of Wasm memory, ${(wallMs / 1000).toFixed(2)} s wall time, trace hash ${report.traceHash.slice(0, 16)}`,
  );
  const { colors } = output;
  const good = report.verdict.kind === 'ok';
  output.line(`${(good ? colors.green : colors.red)(colors.bold(`verdict: ${report.verdict.kind}`))}  ${report.verdict.text}`);
}

function printLogs(output: Output, { kernelLog, guestLog }: BootReport): void {
  section(output, 'kernel log', kernelLog);
  section(output, 'guest log', guestLog);
}

function section(output: Output, title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  output.line(output.colors.bold(title));
  for (const line of lines) {
    const text = line.trimStart();
    const [first = '', ...more] = output.wrap(text, SECTION_INDENT + CONTINUED_INDENT);
    output.line(`${' '.repeat(SECTION_INDENT + line.length - text.length)}${first}`);
    for (const rest of more) output.line(`${' '.repeat(SECTION_INDENT + CONTINUED_INDENT)}${rest}`);
  }
  output.line();
}

function printChain(output: Output, { chain, causes }: BootReport): void {
  section(
    output,
    'causal chain, from provenance',
    chain.map((step, i) => `${String(i + 1).padStart(2)}. ${step.text}`),
  );
  section(
    output,
    'cause, by counterfactual replay',
    causes.map(
      ({ knob, value, reference, about, requirements }) =>
        `${knob}=${value}; with ${reference} the failure is gone. ${about} [${requirements.join(', ')}]`,
    ),
  );
}

function printAttestation(output: Output, { attestation }: BootReport): void {
  if (!attestation) return;
  output.line(`${output.colors.bold('MRTD')}        ${attestation.mrtd}`);
  attestation.rtmrs.forEach((rtmr, i) => {
    output.line(`${output.colors.bold(`RTMR${i}`)}       ${rtmr}`);
  });
  output.line(
    `${output.colors.bold('TDREPORT')}    attributes 0x${attestation.attributes.toString(16)}, XFAM 0x${attestation.xfam.toString(16)}, MAC ${attestation.mac.slice(0, 16)}…, report data ${attestation.reportData.slice(0, 16)}…`,
  );
  output.line(
    output.colors.dim(
      'The firmware image is measured but its x86 code is not executed: RTMRs are those of this guest program, not of a firmware boot.',
    ),
  );
  output.line();
}

function printCounters(output: Output, { counters, seamcalls }: BootReport): void {
  output.line(output.colors.bold('counters'));
  const shown = Object.entries(counters).filter(([, value]) => value !== 0);
  for (let i = 0; i < shown.length; i += 3) {
    output.line(
      `  ${shown
        .slice(i, i + 3)
        .map(([name, value]) => `${name.padEnd(18)} ${grouped(value).padStart(13)}`)
        .join('   ')}`,
    );
  }
  const leaves = Object.entries(seamcalls);
  if (leaves.length > 0) output.line(output.colors.bold('SEAMCALLs by leaf'));
  for (let i = 0; i < leaves.length; i += 3) {
    output.line(
      `  ${leaves
        .slice(i, i + 3)
        .map(([name, value]) => `${name.padEnd(24)} ${grouped(value).padStart(7)}`)
        .join('   ')}`,
    );
  }
  output.line();
}

function printFindings(output: Output, { findings }: BootReport): void {
  section(
    output,
    'oracles',
    findings.map(({ oracle, severity, text }) => `${oracle}: ${severity}: ${text}`),
  );
}

const hex64 = (value: bigint): string => `0x${value.toString(16).padStart(16, '0')}`;

/** The report for a program: 64-bit values as hex strings, what depends on the host under `host` (DESIGN.md §8). */
export const bootJson = (report: BootReport, host: Readonly<Record<string, unknown>>): unknown => ({
  schema: 'seamline/boot/1',
  ...report,
  seed: hex64(report.seed),
  mrtd: report.attestation?.mrtd ?? null,
  attestation: report.attestation && {
    ...report.attestation,
    attributes: hex64(report.attestation.attributes),
    xfam: hex64(report.attestation.xfam),
  },
  chain: report.chain.map((step) => bigintsToHex(step)),
  findings: report.findings.map((finding) => bigintsToHex(finding)),
  deviations: deviations(report.knobs),
  host,
});

const bigintsToHex = (value: object): object =>
  Object.fromEntries(Object.entries(value).map(([key, item]) => [key, typeof item === 'bigint' ? hex64(item) : item]));
