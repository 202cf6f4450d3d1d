/**
 * Stands in for test/oracle/eager-core.ts: the oracle answers once, and every later run of the same test gets its recorded answers.
 * The oracle does not see the core, so that a question other than the recorded one means that the core led the test astray.
 */
import { deserialize, serialize } from 'node:v8';
import type { CoreConfig } from '../../../bindings/memory-core.ts';
import { EagerCore as Oracle } from '../../../test/oracle/eager-core.ts';

interface Entry {
  readonly question: string;
  readonly answer: unknown;
  readonly error: unknown;
  readonly visits: readonly (readonly unknown[])[];
  /** The mailbox's first bytes, where the call changed them. */
  readonly mailbox: Uint8Array | null;
}

const MAILBOX_BYTES = 65536;
type Method = (...args: unknown[]) => unknown;

let tape: Entry[][] = [];
let isRecording = true;
let next = 0;

export function startRecording(): void {
  [tape, isRecording] = [[], true];
}

export const recording = (): Uint8Array => serialize(tape);

export function startReplay(recorded: Uint8Array): void {
  [tape, isRecording, next] = [deserialize(recorded) as Entry[][], false, 0];
}

const isMethod = (name: string | symbol): boolean =>
  typeof Object.getOwnPropertyDescriptor(Oracle.prototype, name)?.value === 'function';

const questionOf = (name: string | symbol, args: readonly unknown[]): string =>
  [name, ...args.filter((arg) => typeof arg !== 'object' && typeof arg !== 'function')].map(String).join(' ');

function changedPrefix(now: Uint8Array, before: Uint8Array): Uint8Array | null {
  if (Buffer.compare(now, before) === 0) return null;
  let end = now.length;
  while (now[end - 1] === before[end - 1]) end--;
  return now.slice(0, end);
}

function recordCall(oracle: Oracle, log: Entry[], name: string | symbol, args: readonly unknown[], shadow: Uint8Array): unknown {
  const visits: unknown[][] = [];
  const listening =
    (visit: Method): Method =>
    (...seen) => {
      visits.push(structuredClone(seen));
      return visit(...seen);
    };
  const heard = args.map((arg) => (typeof arg === 'function' ? listening(arg as Method) : arg));
  const question = questionOf(name, args);
  shadow.set(oracle.mailbox.u8);
  const outs = args.filter((arg) => arg instanceof Uint8Array);
  let answer: unknown;
  let error: unknown;
  try {
    answer = (Reflect.get(oracle, name) as Method).apply(oracle, heard);
  } catch (thrown) {
    error = thrown;
  }
  const mailbox = changedPrefix(oracle.mailbox.u8, shadow);
  log.push({ question, answer: structuredClone([answer, ...outs]), error, visits, mailbox });
  if (error !== undefined) throw error;
  return answer;
}

function recorder(config: CoreConfig): object {
  const oracle = new Oracle(config);
  const log: Entry[] = [];
  const shadow = new Uint8Array(MAILBOX_BYTES);
  tape.push(log);
  return new Proxy(oracle, {
    get(_, name) {
      if (name === 'mailbox' || name === 'config') return oracle[name];
      if (isMethod(name)) return (...args: unknown[]) => recordCall(oracle, log, name, args, shadow);
      const answer = Reflect.get(oracle, name);
      log.push({ question: String(name), answer: structuredClone(answer), error: undefined, visits: [], mailbox: null });
      return answer;
    },
  });
}

function replayer(config: CoreConfig): object {
  const log = tape[next++] ?? [];
  const buffer = new ArrayBuffer(MAILBOX_BYTES);
  const u8 = new Uint8Array(buffer);
  const mailbox = { u8, u32: new Uint32Array(buffer), u64: new BigUint64Array(buffer) };
  let at = 0;
  const entryFor = (question: string): Entry => {
    const entry = log[at++];
    if (entry?.question !== question) throw new Error(`the test asks '${question}' where it asked '${entry?.question}'`);
    return entry;
  };
  const call =
    (name: string | symbol) =>
    (...args: unknown[]): unknown => {
      const { answer, error, visits, mailbox: bytes } = entryFor(questionOf(name, args));
      if (bytes) u8.set(bytes);
      const [result, ...outs] = answer as [unknown, ...Uint8Array[]];
      for (const out of args.filter((arg) => arg instanceof Uint8Array)) (out as Uint8Array).set(outs.shift()!);
      for (const arg of args) if (typeof arg === 'function') for (const seen of visits) arg(...seen);
      if (error !== undefined) throw error;
      return result;
    };
  return new Proxy(
    {},
    {
      get(_, name) {
        if (name === 'mailbox') return mailbox;
        if (name === 'config') return config;
        return isMethod(name) ? call(name) : entryFor(String(name)).answer;
      },
    },
  );
}

/** A constructor that returns another object: what the tests call is `new EagerCore(config)`. */
export function EagerCore(config: CoreConfig): object {
  return isRecording ? recorder(config) : replayer(config);
}
