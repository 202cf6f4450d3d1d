import type { MachineEvent } from '../../platform/index.ts';
import type { CausalStep } from '../explain.ts';
import { type Placed, placeAll, type Track } from './tracks.ts';

/** Bytes that collect before they are handed on. */
const CHUNK = 1 << 16;
export const TRACE_SCHEMA = 'seamline-trace-1';

/**
 * Writes a trace that opens in the Perfetto UI (Trace Event Format, JSON object form): slices by LP and vCPU, and arrows along the causal
 * chain. Output comes in pieces, so that a long run costs no giant string. Equal input gives equal bytes.
 */
export function writeTrace(events: readonly MachineEvent[], chain: readonly CausalStep[], write: (chunk: string) => void): void {
  const out = new Chunks(write);
  const { placed, tracks } = placeAll(events);
  out.text('{"displayTimeUnit":"ns","otherData":');
  out.text(JSON.stringify({ schema: TRACE_SCHEMA, clock: 'virtual nanoseconds since power-on', events: events.length }));
  out.text(',"traceEvents":[\n');
  for (const { pid, name } of tracks.processes) out.record(metadata('process_name', { pid, tid: 0 }, { name }));
  for (const { pid, tid, name } of tracks.threads) {
    out.record(metadata('thread_name', { pid, tid }, { name }));
    out.record(metadata('thread_sort_index', { pid, tid }, { sort_index: tid }));
  }
  for (const item of placed) out.record(slice(item));
  for (const arrow of flow(chain, placed)) out.record(arrow);
  out.text('\n]}\n');
  out.flush();
}

/** Fields of one record, already in JSON. */
type Record_ = readonly (readonly [name: string, json: string])[];

class Chunks {
  readonly #write: (chunk: string) => void;
  #pending = '';
  #hasRecords = false;

  constructor(write: (chunk: string) => void) {
    this.#write = write;
  }

  text(text: string): void {
    this.#pending += text;
    if (this.#pending.length >= CHUNK) this.flush();
  }

  record(fields: Record_): void {
    const separator = this.#hasRecords ? ',\n' : '';
    this.#hasRecords = true;
    this.text(`${separator}{${fields.map(([name, json]) => `"${name}":${json}`).join(',')}}`);
  }

  flush(): void {
    if (this.#pending !== '') this.#write(this.#pending);
    this.#pending = '';
  }
}

/** The format counts microseconds; three decimals keep every nanosecond. */
const microseconds = (ns: number): string => {
  const whole = Math.round(ns);
  return `${Math.floor(whole / 1000)}.${String(whole % 1000).padStart(3, '0')}`;
};

const onTrack = ({ pid, tid }: Track): Record_ => [
  ['pid', String(pid)],
  ['tid', String(tid)],
];

const metadata = (name: string, track: Track, args: object): Record_ => [
  ['ph', '"M"'],
  ['name', JSON.stringify(name)],
  ...onTrack(track),
  ['args', JSON.stringify(args)],
];

const slice = ({ event, track, end }: Placed): Record_ => [
  ['ph', '"X"'],
  ['name', JSON.stringify(event.name)],
  ['cat', JSON.stringify(event.kind)],
  ['ts', microseconds(event.start)],
  ['dur', microseconds(end - event.start)],
  ...onTrack(track),
  ['args', JSON.stringify(facts(event))],
];

function facts(event: MachineEvent): object {
  const { id, parent, result, args, outputs, end } = event;
  const results = Object.fromEntries(Object.entries(outputs).map(([name, value]) => [`${name} out`, value]));
  return { event: id, parent, ...args, ...results, ...(result && { status: result }), ...(end < 0 && { unfinished: 1 }) };
}

/** Arrows from link to link: one flow through the slices of the events, each visited once in a row. */
function flow(chain: readonly CausalStep[], placed: readonly Placed[]): Record_[] {
  const wanted = new Set(chain.map(({ event }) => event));
  const byEvent = new Map(placed.filter(({ event }) => wanted.has(event.id)).map((item) => [item.event.id, item]));
  const links = chain.filter((step, i) => byEvent.has(step.event) && step.event !== chain[i - 1]?.event);
  if (links.length < 2) return [];
  return links.map((step, i) => {
    const { event, track } = byEvent.get(step.event)!;
    const phase = i === 0 ? 's' : i === links.length - 1 ? 'f' : 't';
    return [
      ['ph', `"${phase}"`],
      ['name', '"because"'],
      ['cat', '"causal-chain"'],
      ['id', '1'],
      ['ts', microseconds(event.start)],
      ...onTrack(track),
      ...(phase === 'f' ? ([['bp', '"e"']] as const) : []),
      ['args', JSON.stringify({ role: step.role, text: step.text })],
    ];
  });
}
