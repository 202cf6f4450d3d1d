import type { EventLog, MachineEvent } from '../platform/index.ts';
import type { StepRecord } from './report.ts';

export interface StepHooks {
  /** A step has begun. */
  readonly onStepBegin?: (phase: string, name: string) => void;
  /** A step has ended (repetitions of one system call are one step). */
  readonly onStep?: (step: StepRecord) => void;
}

interface Open {
  readonly event: MachineEvent;
  readonly phase: string;
  readonly seamcallsBefore: number;
  /** A phase inside it has been a step of its own. */
  hasInner: boolean;
}

/** How rooms end an event that went wrong: an errno's name, `failed: why`, or the instruction's failure. */
const FAILURE = /^(-E|failed|VMfailInvalid)/;

/** Makes the step list of a run out of its event log: every innermost phase, and every system call of the VMM, is a step. */
export class StepRecorder {
  readonly steps: StepRecord[] = [];
  /** The part of the main job that is running; the lab sets it. */
  phase = '';
  readonly #hooks: StepHooks;
  readonly #open: Open[] = [];
  #seamcalls = 0;
  /** SEAMCALLs up to the last step that was reported. */
  #reported = 0;
  #milestoneAt = 0;
  /** A run of equal system calls that has not been reported yet. */
  #pending: { readonly step: StepRecord; readonly count: number } | null = null;

  constructor(events: EventLog, hooks: StepHooks) {
    this.#hooks = hooks;
    events.subscribe((event, when) => (when === 'begin' ? this.#begin(event) : this.#end(event)));
  }

  /** Adds a step that is no event of the machine (a lab action, or something that was skipped). */
  add(name: string, outcome: StepRecord['outcome'], detail: string, at: number): void {
    this.#flush();
    this.#report({ phase: this.phase, name, start: at, end: at, seamcalls: 0, outcome, detail });
  }

  /** The guest has reached a point in its program: a step since the last one, inside the KVM_RUN that is going on. */
  milestone(name: string, detail: string, at: number): void {
    this.#flush();
    for (const outer of this.#open) outer.hasInner = true;
    const seamcalls = this.#seamcalls - this.#reported;
    this.#report({ phase: this.phase, name, start: this.#milestoneAt, end: at, seamcalls, outcome: 'ok', detail });
    this.#milestoneAt = at;
  }

  /** The run is over: what never ended is a step too. */
  close(): void {
    this.#flush();
    const inner = this.#open.at(-1);
    if (inner) this.#report(this.#stepOf(inner, inner.event.start, 'lost', 'never returned'));
    this.#open.length = 0;
  }

  #begin(event: MachineEvent): void {
    if (event.kind === 'seamcall') this.#seamcalls++;
    if (event.kind !== 'phase' && event.kind !== 'ioctl') return;
    for (const outer of this.#open) outer.hasInner = true;
    if (event.name !== this.#pending?.step.name) this.#flush();
    this.#open.push({ event, phase: this.phase, seamcallsBefore: this.#seamcalls, hasInner: false });
    this.#hooks.onStepBegin?.(this.phase, event.name);
  }

  #end(event: MachineEvent): void {
    const index = this.#open.findIndex((open) => open.event === event);
    if (index < 0) return;
    const [open] = this.#open.splice(index, 1) as [Open];
    if (open.hasInner) return;
    const outcome = FAILURE.test(event.result) ? 'failed' : 'ok';
    this.#collect(this.#stepOf(open, event.end, outcome, event.result), event.kind === 'ioctl');
  }

  #stepOf({ event, phase, seamcallsBefore }: Open, end: number, outcome: StepRecord['outcome'], result: string): StepRecord {
    const detail = outcome === 'ok' && /^(0|ok)$/.test(result) ? '' : result;
    return { phase, name: event.name, start: event.start, end, seamcalls: this.#seamcalls - seamcallsBefore, outcome, detail };
  }

  #collect(step: StepRecord, repeatable: boolean): void {
    const { step: last, count } = this.#pending ?? { step: null, count: 0 };
    if (last && repeatable && last.name === step.name && last.outcome === step.outcome) {
      this.#pending = { step: { ...step, start: last.start, seamcalls: last.seamcalls + step.seamcalls }, count: count + 1 };
      return;
    }
    this.#flush();
    if (repeatable) this.#pending = { step, count: 1 };
    else this.#report(step);
  }

  #flush(): void {
    const pending = this.#pending;
    this.#pending = null;
    if (!pending) return;
    const { step, count } = pending;
    this.#report(count === 1 ? step : { ...step, name: `${step.name} × ${count}` });
  }

  #report(step: StepRecord): void {
    this.steps.push(step);
    this.#reported = this.#seamcalls;
    this.#hooks.onStep?.(step);
  }
}
