/** Exact counts of the hot operations: equal on every machine. */
import { COUNTED, type HotOperation } from './hot-operation.ts';

export type Counters = Readonly<Record<string, number>>;

/** What `COUNTED` operations add to each counter after as many have gone before; counters that do not move are left out. */
export function countersOf(operation: HotOperation): Counters {
  const running = operation.start();
  running.run(COUNTED);
  const before = running.counters();
  running.run(COUNTED);
  const moved = Object.entries(running.counters())
    .map(([name, value]): [string, number] => [name, value - before[name]!])
    .filter(([, value]) => value !== 0);
  return Object.fromEntries(moved.sort(([a], [b]) => (a < b ? -1 : 1)));
}
