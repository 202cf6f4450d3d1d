/** The line that lives while the run does: a bar, the rate, faults by kind, memory. */
import cliProgress, { type Params } from 'cli-progress';
import type { Sink } from '../output.ts';
import { bytes, counted, duration, short } from './quantities.ts';
import type { Score, Scoreboard } from './scoreboard.ts';

const REFRESH_MS = 100;
/** The rate is that of the last moments, not of the whole run. */
const RATE_WINDOW = 20;
const BAR_MIN = 8;
const BAR_MAX = 30;

/** Begins to show the run on a terminal; elsewhere it does nothing. Returns how to end and wipe the line. */
export function showProgress(terminal: Sink, board: Scoreboard, total: number): () => void {
  if (!terminal.isTTY || process.env.TERM === 'dumb') return () => {};
  const meter = new RateMeter();
  const bar = new cliProgress.SingleBar({
    stream: terminal as NodeJS.WritableStream,
    format: (_options, params: Params, shown: Shown) => progressLine(params, shown),
    clearOnComplete: true,
    // Whoever is killed while these are off leaves a broken terminal behind.
    linewrap: true,
    hideCursor: false,
    gracefulExit: false,
  });
  const payload = () => {
    const score = board.read();
    return { ...score, rate: meter.of(score.operations, performance.now()) };
  };
  bar.start(total, 0, payload());
  const timer = setInterval(() => {
    const now = payload();
    bar.update(now.operations, now);
  }, REFRESH_MS);
  return () => {
    clearInterval(timer);
    bar.stop();
  };
}

/** Operations per second over a sliding window. */
export class RateMeter {
  readonly #samples: { readonly operations: number; readonly ms: number }[] = [];

  of(operations: number, ms: number): number {
    this.#samples.push({ operations, ms });
    if (this.#samples.length > RATE_WINDOW) this.#samples.shift();
    const first = this.#samples[0]!;
    return ms > first.ms ? (1000 * (operations - first.operations)) / (ms - first.ms) : 0;
  }
}

type Shown = Score & { readonly rate: number };

/** What stands behind the bar: the richest first, and the first that leaves room for a bar is taken. */
const LAYOUTS: readonly ((shown: Shown, total: number) => readonly string[])[] = [
  (shown, total) => [
    `${short(shown.operations)} of ${short(total)}`,
    rate(shown),
    faults(shown),
    memory(shown),
    left(shown, total),
  ],
  (shown, total) => [rate(shown), faults(shown), memory(shown), left(shown, total)],
  (shown) => [rate(shown), faults(shown), memory(shown)],
  (shown) => [rate(shown), faultSum(shown), memory(shown)],
  (shown) => [rate(shown)],
];

/** Nobody runs while all prepare. */
const rate = ({ preparing, rate: perSecond }: Shown): string =>
  preparing === null ? `${short(perSecond)}/s` : `preparing ${Math.floor(100 * preparing)} %`;
const memory = ({ memoryUsed }: Shown): string => bytes(memoryUsed);
const left = ({ operations, preparing, rate: perSecond }: Shown, total: number): string =>
  perSecond > 0 && preparing === null ? `${duration((total - operations) / perSecond)} left` : '';

function faults(shown: Shown): string {
  if (shown.outOfMemory > 0) return `${counted(shown.outOfMemory, 'shard')} out of memory`;
  const met = Object.entries(shown.faults).filter(([, count]) => count > 0);
  return met.map(([kind, count]) => `${kind} ${short(count)}`).join(', ') || faultSum(shown);
}

function faultSum(shown: Shown): string {
  const sum = Object.values(shown.faults).reduce((all, count) => all + count, 0);
  return sum === 0 ? 'no faults' : `${short(sum)} faults`;
}

/** The bar and as much of the rest as the terminal is wide. */
export function progressLine(params: Pick<Params, 'progress' | 'total' | 'maxWidth'>, shown: Shown): string {
  const { progress, total, maxWidth } = params;
  // A character in the last column would make some terminals scroll.
  const room = maxWidth - 1;
  const percentage = `${(100 * progress).toFixed(1)} %`;
  for (const layout of LAYOUTS) {
    const text = [percentage, ...layout(shown, total)].filter((part) => part !== '').join('  ');
    const size = Math.min(BAR_MAX, room - text.length - '[]  '.length);
    if (size < BAR_MIN) continue;
    const done = Math.round(progress * size);
    return `[${'='.repeat(done)}${' '.repeat(size - done)}]  ${text}`;
  }
  return percentage.slice(0, Math.max(0, room));
}
