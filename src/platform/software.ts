/**
 * Software on a logical processor is a generator; it yields where the real one could be overtaken (DESIGN.md §4).
 * A stopped LP's generator is dropped, never `return()`ed: nothing unlocks what silicon would leave locked, so no `finally`.
 */

/** A place where another LP may go on, or an NMI may stop this one. */
export type Point = 'seamcall-enter' | 'seamcall-exit' | 'ipi' | 'lock' | 'nmi-window' | 'interrupt-window' | 'pause' | 'guest';

/** The software waits; `ready` is asked again whenever the scheduler looks. */
export interface Wait {
  readonly what: string;
  readonly ready: () => boolean;
}

export type Step = Point | Wait;
export type Software<T = void> = Generator<Step, T, void>;

/** Something that happens once; waiting joins the waiter's clock with the time it happened. */
export class Completion {
  done = false;
  at = 0;
  complete(now: number): void {
    this.done = true;
    this.at = now;
  }
}
