/** Runs benches one after another and makes their rows. */
import { type Bench, idOf, type Measurement, type Metric, WrongAnswer } from './bench.ts';
import type { Protocol } from './protocol.ts';
import type { ResultRow } from './result-file.ts';
import { summarise } from './statistics.ts';
import { judge, parseTarget } from './target.ts';

/** The core under test lacks what the bench asks for. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** Benches whose id contains every word of the filter. */
export function select(benches: readonly Bench[], filter: string | null, quick: boolean): Bench[] {
  const words = (filter ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return benches.filter((bench) => {
    const id = idOf(bench).toLowerCase();
    return words.every((word) => id.includes(word)) && !(quick && bench.heavy);
  });
}

function complete(metric: Metric): ResultRow['metrics'][string] {
  const { median, ci95, mad } = summarise(metric.samples);
  return { ...metric, samples: [...metric.samples], median, ci95: [...ci95], mad };
}

type Outcome = Pick<ResultRow, 'verdict' | 'reached' | 'metrics'> & { reason?: string };

function outcome(bench: Bench, measured: Measurement): Outcome {
  const metrics = Object.fromEntries(
    Object.entries({ headline: measured.headline, ...measured.beside }).map(([name, metric]) => [name, complete(metric)]),
  );
  return { ...judge(bench.target, measured.headline.unit, metrics.headline!), metrics };
}

function refusal(error: unknown): Outcome {
  const reason = error instanceof Error ? error.message : String(error);
  const verdict = error instanceof Unavailable ? 'unavailable' : error instanceof WrongAnswer ? 'wrong' : 'failed';
  return { verdict, reached: null, metrics: {}, reason };
}

/** A bench that throws is a row that says why; the others go on. */
export async function runBench(bench: Bench, protocol: Protocol): Promise<ResultRow> {
  if (bench.target !== null) parseTarget(bench.target);
  const start = performance.now();
  let result: Outcome;
  try {
    result = outcome(bench, await bench.run(protocol));
  } catch (error) {
    result = refusal(error);
  }
  const { name, params, target } = bench;
  return { name, params: { ...params }, target, ...result, seconds: Number(((performance.now() - start) / 1000).toFixed(2)) };
}
