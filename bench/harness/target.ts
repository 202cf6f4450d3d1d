/** Targets as they stand in the table, read back: `≥ 0.97 ×`, `< 200 ns`, `≤ 64 KiB`. */
const SCALE: Readonly<Record<string, readonly [unit: string, factor: number]>> = {
  '': ['exponent', 1],
  exponent: ['exponent', 1],
  '×': ['×', 1],
  ns: ['ns', 1],
  µs: ['ns', 1e3],
  ms: ['ns', 1e6],
  B: ['B', 1],
  KiB: ['B', 1024],
  'M/s': ['1/s', 1e6],
};

const COMPARE: Readonly<Record<string, (value: number, bound: number) => boolean>> = {
  '≥': (value, bound) => value >= bound,
  '≤': (value, bound) => value <= bound,
  '<': (value, bound) => value < bound,
  '>': (value, bound) => value > bound,
};

export interface Target {
  readonly text: string;
  readonly unit: string;
  /** In base units: nanoseconds, bytes, 1/s. */
  readonly bound: number;
  holds(value: number): boolean;
}

/** Throws when the text is no target: a row with an unreadable target would never miss it. */
export function parseTarget(text: string): Target {
  const [, sign = '', number = '', suffix = ''] = /^([≥≤<>]) (\d[\d,]*(?:\.\d+)?) ?(\S*)$/.exec(text) ?? [];
  const compare = COMPARE[sign];
  const scale = SCALE[suffix];
  if (!compare || !scale) throw new Error(`target '${text}': write a sign, a number and one of ${Object.keys(SCALE).join(' ')}`);
  const bound = Number(number.replaceAll(',', '')) * scale[1];
  return { text, unit: scale[0], bound, holds: (value) => compare(value, bound) };
}

export type Verdict = 'pass' | 'miss' | 'unclear' | 'none';

/**
 * The median decides; when the interval of confidence holds the bound inside and the samples are not exact, the run cannot tell: `unclear`
 * says on which side the median lies in {@link Judgement.reached}.
 */
export interface Judgement {
  readonly verdict: Verdict;
  readonly reached: boolean | null;
}

export function judge(
  target: string | null,
  unit: string,
  summary: { median: number; ci95: readonly [number, number] },
): Judgement {
  if (target === null) return { verdict: 'none', reached: null };
  const parsed = parseTarget(target);
  const [base, factor] = SCALE[unit.replace(/\/(op|line|page|call|ref|walk)$/, '')] ?? [];
  if (base !== parsed.unit || factor === undefined)
    throw new Error(`target '${target}' cannot be compared with a result in ${unit}`);
  const reached = parsed.holds(summary.median * factor);
  const sure = summary.ci95.every((end) => parsed.holds(end * factor) === reached);
  return { verdict: sure ? (reached ? 'pass' : 'miss') : 'unclear', reached };
}
