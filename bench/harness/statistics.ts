/** Robust summaries: medians, never means; no sample is removed. */
import { linearRegression, medianSorted, medianAbsoluteDeviation as unscaledMad } from 'simple-statistics';

export interface Summary {
  readonly median: number;
  /** Interval of confidence of the median, from order statistics. */
  readonly ci95: readonly [number, number];
  /** Median absolute deviation, unscaled. */
  readonly mad: number;
}

/** Throws on no samples: a median of nothing is not 0. */
export function summarise(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new Error('no samples');
  const sorted = [...samples].sort((a, b) => a - b);
  return { median: medianSorted(sorted), ci95: medianInterval(sorted), mad: unscaledMad(sorted) };
}

/**
 * [x(r), x(n+1-r)] with the largest r for which the binomial law leaves at most 2.5 % on each side. With fewer than 6 samples no
 * interval is that sure: it is the whole range then.
 */
export function medianInterval(sorted: readonly number[]): [number, number] {
  const n = sorted.length;
  let rank = 0;
  for (let below = Math.exp(-n * Math.LN2), term = below; below <= 0.025 && rank < n / 2; ) {
    rank += 1;
    term *= (n - rank + 1) / rank;
    below += term;
  }
  // Above about 1,000 samples 2^-n is no double: the normal approximation is exact enough.
  if (n > 1000) rank = Math.floor(n / 2 - 0.98 * Math.sqrt(n));
  const low = Math.max(0, rank - 1);
  return [sorted[low]!, sorted[n - 1 - low]!];
}

/** The exponent b of the best y = a · x^b. */
export function growthExponent(points: readonly (readonly [x: number, y: number])[]): number {
  return linearRegression(points.map(([x, y]) => [Math.log(x), Math.log(y)])).m;
}
