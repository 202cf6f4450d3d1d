/**
 * Where the bytes of a range lie. A range operation first settles tags, holders and writers and notes spans of data, neighbours
 * joined; then somebody moves the bytes: Wasm where both ends are in its memory, JavaScript with one `set` a span where not.
 */
import { expectPages } from './arena';
import { count } from './counters';
import { SPAN_AT, SPAN_BYTES, SPAN_SIZE, SPANS_MAX } from './layout';
import { fillPage } from './lines';
import { COUNTER_BYTES_COPIED } from './spec/counters';

export const spans: usize = memory.data(SPANS_MAX * SPAN_SIZE, 16);
/** A page of one pattern, for lines that have no bytes of their own. */
const patternPage: usize = memory.data(4096, 64);
let pattern: u64 = 0;

export let spanCount: u32 = 0;
/** Does a span of this plan lie in the pattern page? */
let patternUsed: bool = false;

/** Of a range for which pages of so many bytes may have to be made. */
export function beginPlan(bytes: u64): void {
  expectPages(bytes);
  spanCount = 0;
  patternUsed = false;
}

export function endPlan(): void {
  expectPages(0);
}

/** Is there room for one more span? Ask before lines are taken whose bytes are still to come. */
export function hasSpan(): bool {
  return <i32>spanCount < SPANS_MAX;
}

/** False when the table is full. */
export function addSpan(at: usize, bytes: u32): bool {
  if (spanCount != 0) {
    const newest = spans + <usize>(spanCount - 1) * SPAN_SIZE;
    const length = load<u32>(newest, SPAN_BYTES);
    if (<usize>load<u32>(newest, SPAN_AT) + length == at) {
      store<u32>(newest, length + bytes, SPAN_BYTES);
      return true;
    }
    if (spanCount == SPANS_MAX) return false;
  }
  const span = spans + <usize>spanCount * SPAN_SIZE;
  store<u32>(span, <u32>at, SPAN_AT);
  store<u32>(span, bytes, SPAN_BYTES);
  spanCount += 1;
  return true;
}

/** A span for reading lines that are one pattern. False when this plan has another pattern already. */
export function addPatternSpan(value: u64, bytes: u32): bool {
  if (value != pattern) {
    if (patternUsed) return false;
    pattern = value;
    fillPage(patternPage, value);
  }
  patternUsed = true;
  return addSpan(patternPage, bytes);
}

/** Moves the bytes of the plan from `from` to the spans. */
export function copyIn(from: usize): void {
  const start = from;
  for (let span = spans, end = spans + <usize>spanCount * SPAN_SIZE; span < end; span += SPAN_SIZE) {
    const bytes = load<u32>(span, SPAN_BYTES);
    memory.copy(load<u32>(span, SPAN_AT), from, bytes);
    from += bytes;
  }
  count(COUNTER_BYTES_COPIED, from - start);
}

/** Moves the bytes of the plan from the spans to `to`. */
export function copyOut(to: usize): void {
  const start = to;
  for (let span = spans, end = spans + <usize>spanCount * SPAN_SIZE; span < end; span += SPAN_SIZE) {
    const bytes = load<u32>(span, SPAN_BYTES);
    memory.copy(to, load<u32>(span, SPAN_AT), bytes);
    to += bytes;
  }
  count(COUNTER_BYTES_COPIED, to - start);
}
