/** What a bench is: a name, a target, and a run that measures and checks its own answer. */
import type { Protocol } from './protocol.ts';

/** One quantity with all its samples: none is ever removed. */
export interface Metric {
  /** For instance `ns/op`, `×`, `bytes`. */
  readonly unit: string;
  readonly better: 'smaller' | 'larger';
  readonly samples: readonly number[];
  /** Counted, not timed: every run gives the same. */
  readonly exact?: boolean;
}

/** The headline is compared with the target; what stands beside it explains it. */
export interface Measurement {
  readonly headline: Metric;
  readonly beside?: Readonly<Record<string, Metric>>;
}

export type Params = Readonly<Record<string, string | number | boolean>>;

export interface Bench {
  /** `suite/what`. */
  readonly name: string;
  readonly params: Params;
  /** As the table shows it, for instance `≥ 0.97 ×`; null: for orientation only. */
  readonly target: string | null;
  /** Needs gigabytes or many seconds: left out of a quick run. */
  readonly heavy?: boolean;
  /** Throws {@link WrongAnswer} when the result is not what was computed independently. */
  run(protocol: Protocol): Measurement | Promise<Measurement>;
}

/** The core was fast and wrong, or the bench did not do what it says. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
}

export function expectEqual(what: string, actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) throw new WrongAnswer(`${what}: got ${String(actual)}, expected ${String(expected)}`);
}

/** `name{size=1 MiB,provenance=on}`: what --filter looks at and what no two benches share. */
export function idOf(bench: Pick<Bench, 'name' | 'params'>): string {
  const params = Object.entries(bench.params).map(([key, value]) => `${key}=${value}`);
  return params.length === 0 ? bench.name : `${bench.name}{${params.join(',')}}`;
}

/** The answer itself, not a digest of it: every byte is looked at. */
export function expectBytes(what: string, actual: Uint8Array, expected: Uint8Array): void {
  if (actual.length !== expected.length || Buffer.compare(actual, expected) !== 0) {
    const at = actual.findIndex((byte, i) => byte !== expected[i]);
    throw new WrongAnswer(`${what}: byte ${at} of ${expected.length} is ${actual[at]}, expected ${expected[at]}`);
  }
}
