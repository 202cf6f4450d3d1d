import { COST } from './costs.ts';
import { HardwareException } from './exceptions.ts';
import type { LogicalProcessor, LpMode } from './logical-processor.ts';
import type { RandomStream } from './random.ts';
import type { Software, Step, Wait } from './software.ts';

/** One thread of software bound to a logical processor. */
export interface Task {
  readonly name: string;
  readonly lp: LogicalProcessor;
  state: 'ready' | 'done' | 'failed' | 'dropped';
  /** What the software returned, or the exception that nobody caught. */
  outcome: unknown;
}

/** What one logical processor is at, for a report of a run that does not end. */
export interface LpActivity {
  readonly lp: number;
  readonly mode: LpMode;
  /** Virtual time in nanoseconds. */
  readonly now: number;
  readonly pendingInterrupts: number;
  /** Its threads and interrupt handlers: what each waits for, or `runs`. */
  readonly tasks: readonly { readonly name: string; readonly doing: string }[];
}

/** Steps in which no thread began or ended after which a run counts as stuck. */
export const DEFAULT_STEP_BUDGET = 4_000_000;

/** A run in which no thread began or ended for a whole step budget: software that goes round in circles. */
export class RunStuck extends Error {
  readonly code = 'RUN_STUCK';
  readonly activities: readonly LpActivity[];

  constructor(budget: number, activities: readonly LpActivity[]) {
    super(
      `no thread began or ended for ${budget} steps (${activities.map(describeActivity).join('; ')}). ` +
        'If the run is only long, create the Platform with a larger stepBudget.',
    );
    this.name = 'RunStuck';
    this.activities = activities;
  }
}

/** One line: the LP, its mode, and what its threads do. */
export const describeActivity = ({ lp, mode, tasks }: LpActivity): string =>
  `LP ${lp} in ${mode}: ${tasks.map(({ name, doing }) => `${name} ${doing}`).join(', ')}`;

interface Running {
  readonly task: Task;
  readonly software: Software<unknown>;
  wait: Wait | null;
}

interface Context {
  readonly lp: LogicalProcessor;
  readonly threads: Running[];
  /** Interrupt handlers, innermost last. They run before any thread. */
  readonly handlers: Running[];
}

const isWait = (step: Step): step is Wait => typeof step === 'object';

/**
 * Decides which logical processor goes on. Plain: the runnable one with the earliest clock, ties by id; seeded: a seeded choice.
 * Interrupt handlers are pushed when the LP is interruptible: in root mode, at a yield. A TD is left by a VM exit first.
 * An exception that no software caught stops its LP (a kernel panic, seen from outside); a JavaScript error is a defect and passes through.
 */
export class Scheduler {
  readonly #contexts: Context[];
  readonly #random: RandomStream | null;
  readonly #stepBudget: number;
  /** Steps taken, for budgets and the trace hash. */
  steps = 0;
  /** {@link steps} when a thread last began or ended. */
  #progressAt = 0;

  constructor(lps: readonly LogicalProcessor[], random: RandomStream | null, stepBudget = DEFAULT_STEP_BUDGET) {
    this.#stepBudget = stepBudget;
    this.#contexts = lps.map((lp) => ({ lp, threads: [], handlers: [] }));
    this.#random = random;
  }

  /** Starts a thread on an LP. */
  spawn(lp: LogicalProcessor, name: string, software: Software<unknown>): Task {
    const task: Task = { name, lp, state: 'ready', outcome: undefined };
    this.#contexts[lp.id]!.threads.push({ task, software, wait: null });
    this.#progressAt = this.steps;
    return task;
  }

  /** Drops everything that runs on an LP, as an NMI stop or an unbreakable shutdown does: nothing unwinds. */
  drop(lp: LogicalProcessor): void {
    const context = this.#contexts[lp.id]!;
    for (const running of [...context.threads, ...context.handlers]) running.task.state = 'dropped';
    context.threads.length = 0;
    context.handlers.length = 0;
    lp.pendingInterrupts.length = 0;
  }

  /**
   * Runs until every given task has ended (all tasks when none is given), or nothing can go on.
   * Returns true when they all ended.
   * @throws {RunStuck} when no thread begins or ends for a whole step budget.
   */
  run(tasks: readonly Task[] = []): boolean {
    for (;;) {
      if (tasks.length > 0 && tasks.every((task) => task.state !== 'ready')) return true;
      const context = this.#choose();
      if (!context)
        return tasks.length === 0
          ? this.#contexts.every((c) => c.threads.length === 0)
          : tasks.every((task) => task.state !== 'ready');
      if (this.steps - this.#progressAt >= this.#stepBudget) throw new RunStuck(this.#stepBudget, this.activities());
      this.#step(context);
    }
  }

  /** What the LPs that have work are at. */
  activities(): LpActivity[] {
    return this.#contexts
      .filter(({ threads, handlers }) => threads.length + handlers.length > 0)
      .map(({ lp, threads, handlers }) => ({
        lp: lp.id,
        mode: lp.mode,
        now: lp.now,
        pendingInterrupts: lp.pendingInterrupts.length,
        tasks: [...handlers, ...threads].map(({ task, wait }) => ({
          name: task.name,
          doing: wait ? `waits for ${wait.what}` : 'runs',
        })),
      }));
  }

  #choose(): Context | null {
    const runnable = this.#contexts.filter((context) => this.#isRunnable(context));
    if (runnable.length === 0) return null;
    if (this.#random && runnable.length > 1) return runnable[this.#random.below(runnable.length)]!;
    return runnable.reduce((first, context) => (context.lp.now < first.lp.now ? context : first));
  }

  #isRunnable(context: Context): boolean {
    const { lp } = context;
    if (lp.stopped) return false;
    if (lp.isInterruptible && lp.pendingInterrupts.length > 0) return true;
    const handler = context.handlers.at(-1);
    if (handler) return isReady(handler);
    return context.threads.some(isReady);
  }

  #step(context: Context): void {
    const { lp } = context;
    if (lp.isInterruptible && lp.pendingInterrupts.length > 0) {
      const handler = lp.pendingInterrupts.shift()!;
      context.handlers.push({
        task: { name: 'interrupt', lp, state: 'ready', outcome: undefined },
        software: handler(),
        wait: null,
      });
    }
    const running = context.handlers.at(-1) ?? this.#nextThread(context);
    if (!running) return;
    lp.resumeEvent();
    this.steps++;
    running.wait = null;
    this.#advance(context, running);
  }

  #nextThread(context: Context): Running | undefined {
    const index = context.threads.findIndex(isReady);
    const [running] = index < 0 ? [] : context.threads.splice(index, 1);
    if (running) context.threads.unshift(running);
    return running;
  }

  #advance(context: Context, running: Running): void {
    const { task } = running;
    const { lp } = context;
    const before = lp.now;
    try {
      const result = running.software.next();
      if (result.done) {
        task.state = 'done';
        task.outcome = result.value;
      } else if (isWait(result.value)) {
        running.wait = result.value;
        rotate(context.threads, running);
      } else if (result.value === 'pause' && lp.now === before) {
        // Who polls lets time pass: else its clock stays the earliest, and whoever it waits for never has a turn.
        lp.spend(COST.guestStep);
      }
    } catch (exception) {
      if (!(exception instanceof HardwareException)) throw exception;
      task.state = 'failed';
      task.outcome = exception;
      lp.stopped = 'panic';
    }
    if (task.state !== 'ready') {
      if (context.threads.includes(running)) this.#progressAt = this.steps;
      remove(context.handlers, running);
      remove(context.threads, running);
    }
  }
}

const isReady = (running: Running): boolean => running.wait === null || running.wait.ready();

const remove = (list: Running[], item: Running): void => {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
};

/** A thread that waits goes behind its siblings. */
const rotate = (threads: Running[], running: Running): void => {
  if (threads[0] === running && threads.length > 1) threads.push(threads.shift()!);
};
