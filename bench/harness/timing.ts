/** Clocks: interleaved sides of a ratio, and tinybench for a single quantity. All results in nanoseconds. */
import { Bench as Sampler } from 'tinybench';
import type { Metric } from './bench.ts';
import type { Protocol } from './protocol.ts';

/** One side of a comparison. `prepare` runs before every timed call and is not timed; with it a timed call is a single run. */
export interface Side {
  prepare?(): void;
  run(): void;
}

const NS_PER_MS = 1e6;
const MAX_REPEATS = 1 << 20;

function clock(): number {
  return performance.now() * NS_PER_MS;
}

/** Nanoseconds of `repeats` runs. */
function timeOf(side: Side, repeats: number): number {
  const start = clock();
  for (let i = 0; i < repeats; i++) side.run();
  return clock() - start;
}

/** How often a side has to run so that the clock's grain does not show; the runs warm it up. */
function calibrate(side: Side, sideMs: number): number {
  if (side.prepare) return 1;
  for (let repeats = 1; ; repeats *= 2) {
    if (timeOf(side, repeats) >= sideMs * NS_PER_MS || repeats >= MAX_REPEATS) return repeats;
  }
}

/** Every side as often as the others. Sides that are not calibrated run too seldom to be compiled before the first round. */
function warmUp(sides: readonly Side[], warmupMs: number): void {
  const isCalibrated = sides.every((side) => !side.prepare);
  const end = clock() + (isCalibrated ? 0 : warmupMs * NS_PER_MS);
  do {
    for (const side of sides) {
      side.prepare?.();
      side.run();
    }
  } while (clock() < end);
}

/**
 * Times the sides in rounds, each round in another order, so that what the machine does meanwhile meets all of them alike.
 * Gives nanoseconds a run: `times[side][round]`.
 */
export function interleave(sides: readonly Side[], protocol: Protocol): number[][] {
  warmUp(sides, protocol.warmupMs);
  const repeats = sides.map((side) => calibrate(side, protocol.sideMs));
  const times: number[][] = sides.map(() => []);
  for (let round = 0; round < protocol.pairs; round++) {
    for (let turn = 0; turn < sides.length; turn++) {
      const at = (round + turn) % sides.length;
      const side = sides[at]!;
      side.prepare?.();
      times[at]!.push(timeOf(side, repeats[at]!) / repeats[at]!);
    }
  }
  return times;
}

/** `above[i] / below[i]`: how many times as fast `below` is. */
export function ratios(above: readonly number[], below: readonly number[]): number[] {
  return above.map((time, i) => time / below[i]!);
}

/** Speed of the subject relative to the baseline, pair by pair, and both times a run. */
export function speedup(subject: Side, baseline: Side, protocol: Protocol): { headline: Metric; beside: Record<string, Metric> } {
  const [own, base] = interleave([subject, baseline], protocol);
  return {
    headline: { unit: '×', better: 'larger', samples: ratios(base!, own!) },
    beside: { time: nanoseconds(own!), baseline: nanoseconds(base!) },
  };
}

export function nanoseconds(samples: readonly number[], unit = 'ns/op'): Metric {
  return { unit, better: 'smaller', samples };
}

/** Nanoseconds an operation, of a batch of `operations`. */
export function sample(operations: number, batch: () => void, protocol: Protocol): number[] {
  const sampler = new Sampler({
    time: protocol.timeMs,
    warmupTime: protocol.warmupMs,
    retainSamples: true,
    timestampProvider: 'hrtimeNow',
    throws: true,
  });
  sampler.add('batch', batch, { async: false });
  const [task] = sampler.runSync();
  const result = task!.result;
  if (!('latency' in result) || !result.latency.samples) throw new Error(`tinybench gave no samples: ${result.state}`);
  return result.latency.samples.map((ms) => (ms * NS_PER_MS) / operations);
}

/** What an empty pair of clock readings costs: taken off where one call is shorter than that. */
export function clockOverhead(): number {
  const nothing = { run: () => {} };
  const times = Array.from({ length: 1001 }, () => timeOf(nothing, 1));
  return times.sort((a, b) => a - b)[500]!;
}

/** Nanoseconds of single calls, the clock's own cost taken off; never below 0. */
export function sampleCalls(call: Side, rounds: number): number[] {
  const overhead = clockOverhead();
  return Array.from({ length: rounds }, () => {
    call.prepare?.();
    return Math.max(0, timeOf(call, 1) - overhead);
  });
}
