import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { EventFacts, MachineEvent } from '../../platform/index.ts';

const BATCH = 1000;

/** Keys in code-point order: facts are a set, however a layer happened to write them down. */
const canonical = (facts: EventFacts): (readonly [string, string | number])[] =>
  Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

const line = ({ id, parent, lp, kind, name, start, end, ended, result, args, outputs }: MachineEvent): string =>
  JSON.stringify([id, parent, lp, kind, name, start, end, ended, result, canonical(args), canonical(outputs)]);

/**
 * SHA-256 over all events of a run, 64 lower-case hex digits: one JSON line an event, every field in fixed order. Equal for equal seed,
 * knobs and input, on every host [SX-03].
 */
export function traceHash(events: readonly MachineEvent[]): string {
  const hash = sha256.create();
  const encoder = new TextEncoder();
  for (let at = 0; at < events.length; at += BATCH) {
    const lines = events.slice(at, at + BATCH).map(line);
    hash.update(encoder.encode(`${lines.join('\n')}\n`));
  }
  return bytesToHex(hash.digest());
}
