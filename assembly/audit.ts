/** What lines hold, for auditors: plaintext under the key of the last writer, past every check. */
import { PROBE_DATA } from './layout';
import { lineIs } from './lines';
import { probe } from './memory-map';
import { readAs } from './observe';
import { lineTag } from './page';
import { resolveFrame, resolveRange } from './pending';
import { FILL, INSTANCE } from './tags';
import { findDescriptor, kindOf, LOW, span } from './tree';

/** The line's plaintext, in the probe record. */
export function plaintext(line: u64): void {
  resolveFrame(line >> 6);
  const desc = findDescriptor(line >> 6);
  const index = <u32>line & 63;
  const tag = lineTag(desc, index);
  readAs(desc, index, line, tag, tag & INSTANCE, probe + PROBE_DATA);
}

/** First line in [line, end) whose plaintext is not all zeros, or -1. Uniform zeros cost one step a descriptor. */
export function nextNonZero(line: u64, end: u64): f64 {
  resolveRange(line >> 6, ((end - 1) >> 6) + 1);
  let at = line;
  while (at < end) {
    const frame = at >> 6;
    const desc = findDescriptor(frame);
    if (kindOf(desc) == FILL) {
      if (load<u64>(desc, LOW) != 0) return <f64>at;
      const size = (<u64>1) << span;
      at = ((frame & ~(size - 1)) + size) << 6;
      continue;
    }
    plaintext(at);
    if (!lineIs(probe + PROBE_DATA, 0)) return <f64>at;
    at += 1;
  }
  return -1;
}
