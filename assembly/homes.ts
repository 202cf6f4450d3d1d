/** Which package's memory controller owns a page. Borders lie at multiples of 1 GiB. */

import { allocate } from './arena';
import { CONFIG_SEGMENT_BYTES, CONFIG_SEGMENT_COUNT, CONFIG_SEGMENTS } from './layout';
import { mailbox } from './memory-map';

const GIB_SHIFT: u64 = 18;

let segments: usize = 0;
let segmentCount: u32 = 0;
/** The segment that answered last, in frames. */
let low: u64 = 0;
let high: u64 = 0;
let owner: u32 = 0;

export function initHomes(): void {
  segmentCount = load<u32>(mailbox, CONFIG_SEGMENT_COUNT);
  const bytes = <usize>segmentCount * CONFIG_SEGMENT_BYTES;
  segments = allocate(bytes);
  memory.copy(segments, mailbox + CONFIG_SEGMENTS, bytes);
}

export function homeOf(frame: u64): u32 {
  if (frame < low || frame >= high) find(frame);
  return owner;
}

/** First frame after `frame` that may have another home. */
export function homeEnd(frame: u64): u64 {
  homeOf(frame);
  return high;
}

function find(frame: u64): void {
  const gib = <u32>(frame >> GIB_SHIFT);
  let first: u32 = 0;
  let last = segmentCount;
  while (last - first > 1) {
    const middle = (first + last) >> 1;
    if (load<u32>(segments + ((<usize>middle) << 3)) <= gib) first = middle;
    else last = middle;
  }
  const at = segments + ((<usize>first) << 3);
  low = (<u64>load<u32>(at)) << GIB_SHIFT;
  high = last < segmentCount ? (<u64>load<u32>(segments + ((<usize>last) << 3))) << GIB_SHIFT : u64.MAX_VALUE;
  owner = load<u32>(at, 4);
}
