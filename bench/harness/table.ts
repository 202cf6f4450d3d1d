/** The table a run prints: result beside target. */
import Table from 'cli-table3';
import type picocolors from 'picocolors';
import type { ResultRow } from './result-file.ts';

type Colors = ReturnType<typeof picocolors.createColors>;

const BARE = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Columns two spaces apart, no lines. */
export function bareTable(head: string[], colAligns: ('left' | 'right')[]): Table.Table {
  return new Table({ head, chars: BARE, style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 }, colAligns });
}

/** The table as text, without blanks at the ends of lines. */
export function tableText(grid: Table.Table): string {
  return grid
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Three significant digits, thousands with a comma: 0.973, 12.4, 1,530. */
export function number(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString('en-US', {
    minimumFractionDigits: Math.min(digits, 4),
    maximumFractionDigits: Math.min(digits, 4),
  });
}

function params(row: ResultRow): string {
  return Object.entries(row.params)
    .map(([key, value]) => (key === 'provenance' ? `prov. ${value}` : `${value}`))
    .join(', ');
}

function figure(row: ResultRow): [result: string, interval: string] {
  const metric = row.metrics.headline;
  if (!metric) return ['–', row.reason ?? ''];
  if (metric.exact) return [`${number(metric.median)} ${metric.unit}`, 'exact'];
  return [`${number(metric.median)} ${metric.unit}`, `${number(metric.ci95[0])} – ${number(metric.ci95[1])}`];
}

function verdict(row: ResultRow, colors: Colors): string {
  const texts: Record<ResultRow['verdict'], string> = {
    pass: colors.green('pass'),
    miss: colors.red('miss'),
    unclear: row.reached ? colors.yellow('pass ~') : colors.yellow('miss ~'),
    none: '',
    wrong: colors.bold(colors.red('WRONG')),
    unavailable: colors.dim('not there'),
    failed: colors.bold(colors.red('FAILED')),
  };
  return texts[row.verdict];
}

export function table(rows: readonly ResultRow[], colors: Colors): string {
  const head = ['bench', 'with', 'result', 'target', '', '95 % interval'].map((title) => colors.dim(title));
  const grid = bareTable(head, ['left', 'left', 'right', 'right', 'left', 'left']);
  let last = '';
  for (const row of rows) {
    const [result, interval] = figure(row);
    grid.push([row.name === last ? '' : row.name, params(row), result, row.target ?? '', verdict(row, colors), interval]);
    last = row.name;
  }
  return tableText(grid);
}

/** `31 of 40 targets reached (3 within noise), 2 not there`. */
export function summaryLine(rows: readonly ResultRow[]): string {
  const judged = rows.filter((row) => row.reached !== null);
  const count = (verdict: ResultRow['verdict']): number => rows.filter((row) => row.verdict === verdict).length;
  const parts = [`${judged.filter((row) => row.reached).length} of ${judged.length} targets reached`];
  if (count('unclear') > 0) parts[0] += ` (${count('unclear')} too close to call: ~)`;
  for (const [name, text] of [
    ['wrong', 'wrong'],
    ['failed', 'failed'],
    ['unavailable', 'not there'],
  ] as const) {
    if (count(name) > 0) parts.push(`${count(name)} ${text}`);
  }
  return parts.join(', ');
}
