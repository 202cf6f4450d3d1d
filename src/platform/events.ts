/** What an event is; exporters choose tracks and colours by it. */
export type EventKind =
  | 'phase'
  | 'seamcall'
  | 'tdcall'
  | 'td-run'
  | 'ioctl'
  | 'ipi'
  | 'instruction'
  | 'memory'
  | 'attack'
  | 'exception'
  | 'log';

/** One thing that happened, with virtual times in nanoseconds. Ids count from 1; 0 means "before power-on". */
export interface MachineEvent {
  readonly id: number;
  /** The event inside which it happened, 0 if none. */
  readonly parent: number;
  /** Logical processor, or -1 for the platform. */
  readonly lp: number;
  readonly kind: EventKind;
  readonly name: string;
  readonly start: number;
  end: number;
  /** Completion status in hex, errno name, or another short word; empty while it runs. */
  result: string;
  readonly args: EventFacts;
  /** Place in the order in which events ended, from 1; 0 while it runs. Virtual times of different LPs do not tell that order. */
  ended: number;
  /** What came out: for a SEAMCALL `rax` and the operand registers that the leaf changed. */
  outputs: EventFacts;
}

export type EventFacts = Readonly<Record<string, string | number>>;

const NO_FACTS: EventFacts = {};

/** The log of a run. Everything that can be blamed has an id here; the core stamps ids on lines (provenance). */
export class EventLog {
  readonly events: MachineEvent[] = [];
  #ended = 0;
  readonly #subscribers: ((event: MachineEvent, phase: 'begin' | 'end') => void)[] = [];

  /** Calls `subscriber` at the begin and end of every event. */
  subscribe(subscriber: (event: MachineEvent, phase: 'begin' | 'end') => void): void {
    this.#subscribers.push(subscriber);
  }

  begin(lp: number, kind: EventKind, name: string, now: number, parent: number, args = NO_FACTS): MachineEvent {
    const id = this.events.length + 1;
    const event = { id, parent, lp, kind, name, start: now, end: -1, result: '', args, ended: 0, outputs: NO_FACTS };
    this.events.push(event);
    for (const notify of this.#subscribers) notify(event, 'begin');
    return event;
  }

  end(event: MachineEvent, now: number, result = '', outputs = NO_FACTS): void {
    event.end = now;
    event.ended = ++this.#ended;
    event.result = result;
    event.outputs = outputs;
    for (const notify of this.#subscribers) notify(event, 'end');
  }

  get(id: number): MachineEvent | undefined {
    return this.events[id - 1];
  }

  /** The event and all its ancestors, innermost first. */
  ancestry(id: number): MachineEvent[] {
    const path: MachineEvent[] = [];
    for (let event = this.get(id); event; event = this.get(event.parent)) path.push(event);
    return path;
  }
}
