/** Model counters of the hot operations: exact, equal on every machine. */
import { type HotOperation, LINES } from './operations.ts';

export type Counters = Readonly<Record<string, number>>;

/** Rounds of the counted loop: part of what the baseline means. */
export const COUNTED = LINES;

/** What `COUNTED` operations add to each counter after as many have gone before; counters that do not move are left out. */
export function countersOf(operation: HotOperation): Counters {
  const { core, run } = operation.start();
  run(COUNTED);
  const before = core.counters();
  run(COUNTED);
  const moved = Object.entries(core.counters())
    .map(([name, value]): [string, number] => [name, value - before[name]!])
    .filter(([, value]) => value !== 0);
  return Object.fromEntries(moved.sort(([a], [b]) => (a < b ? -1 : 1)));
}
