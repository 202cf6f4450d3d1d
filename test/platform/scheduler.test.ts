import { describe, expect, it } from 'vitest';
import { Platform, RunStuck, type Software, smallMap } from '../../src/platform/index.ts';

const BUDGET = 1000;
const platform = () => new Platform({ memoryMap: smallMap, stepBudget: BUDGET });

function* pauses(count: number): Software {
  for (let i = 0; i < count; i++) yield 'pause';
}

function* forever(): Software {
  for (;;) yield 'pause';
}

describe('a run that does not end', () => {
  it('throws RUN_STUCK after the step budget, with what each LP is at', () => {
    const { scheduler, lps } = platform();
    scheduler.spawn(lps[0]!, 'spinner', forever());
    scheduler.spawn(
      lps[1]!,
      'waiter',
      (function* (): Software {
        yield { what: 'the spinner', ready: () => false };
      })(),
    );
    let thrown: unknown;
    try {
      scheduler.run();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RunStuck);
    const stuck = thrown as RunStuck;
    expect(stuck.code).toBe('RUN_STUCK');
    expect(stuck.activities.map(({ lp, tasks }) => [lp, tasks])).toEqual([
      [0, [{ name: 'spinner', doing: 'runs' }]],
      [1, [{ name: 'waiter', doing: 'waits for the spinner' }]],
    ]);
    expect(stuck.message).toContain('LP 1 in root: waiter waits for the spinner');
  });

  it('is not one that is long, as long as threads end', () => {
    const { scheduler, lps } = platform();
    for (let i = 0; i < 5; i++) scheduler.spawn(lps[0]!, `worker ${i}`, pauses(BUDGET - 100));
    expect(scheduler.run()).toBe(true);
    expect(scheduler.steps).toBeGreaterThan(4 * BUDGET);
  });

  it('returns false, without a throw, when nothing can go on', () => {
    const { scheduler, lps } = platform();
    const waiter = scheduler.spawn(
      lps[0]!,
      'waiter',
      (function* (): Software {
        yield { what: 'nothing', ready: () => false };
      })(),
    );
    expect(scheduler.run([waiter])).toBe(false);
    expect(scheduler.activities()[0]!.tasks).toEqual([{ name: 'waiter', doing: 'waits for nothing' }]);
  });
});
