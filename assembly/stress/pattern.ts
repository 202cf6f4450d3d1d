/**
 * Which lines of the footprint a batch of operations goes to. The patterns that go in order divide once for a batch.
 * One short loop without calls for each pattern: the draws of one operation overlap with those of the next.
 */
import {
  STRESS_BUCKET_LINES,
  STRESS_BUCKET_START,
  STRESS_HOT_SET,
  STRESS_PING_PONG,
  STRESS_STRIDED,
  STRESS_UNIFORM,
  STRESS_ZIPFIAN,
} from '../layout';
import { mix } from '../mix';
import { drawWord, range, shortRange, stream } from './draw';
import { chooseBucket, hotBelow, lines, parameter, pattern } from './program';

/** Bits of n that a product with a line (46 bits at most) leaves room for. */
const DIGIT: u64 = 18;

/** n · stride modulo the footprint. */
function strided(n: u64, stride: u64): u64 {
  let line: u64 = 0;
  for (let shift = <i64>(DIGIT * 3); shift >= 0; shift -= DIGIT) {
    const digit = (n >> shift) & ((1 << DIGIT) - 1);
    line = (((line << DIGIT) % lines) + ((digit * stride) % lines)) % lines;
  }
  return line;
}

function fillInSteps(n: u64, to: usize, count: u32, by: u64): void {
  const all = lines;
  let line = strided(n, by);
  for (let at = to, end = to + ((<usize>count) << 3); at < end; at += 8) {
    store<u64>(at, line);
    line += by;
    if (line >= all) line -= all;
  }
}

function fillPingPong(n: u64, to: usize, count: u32): void {
  let line = (n / parameter) % lines;
  let taken = n % parameter;
  for (let at = to, end = to + ((<usize>count) << 3); at < end; at += 8) {
    store<u64>(at, line);
    taken += 1;
    if (taken < parameter) continue;
    taken = 0;
    line = line + 1 == lines ? 0 : line + 1;
  }
}

function fillUniform(n: u64, to: usize, count: u32): void {
  const all = lines;
  let place = stream + (n << 2) + 1;
  const end = to + ((<usize>count) << 3);
  if (all >> 32 == 0) {
    for (let at = to; at < end; at += 8, place += 4) store<u64>(at, shortRange(mix(place), all));
  } else {
    for (let at = to; at < end; at += 8, place += 4) store<u64>(at, range(mix(place), all));
  }
}

function fillZipf(n: u64, to: usize, count: u32): void {
  for (let i: u64 = 0; i < <u64>count; ++i) {
    const bucket = chooseBucket(drawWord(n + i, 1) >> 12);
    const width = load<u64>(bucket, STRESS_BUCKET_LINES);
    let line = load<u64>(bucket, STRESS_BUCKET_START);
    if (width != 1) line += range(drawWord(n + i, 3), width);
    store<u64>(to + ((<usize>i) << 3), line);
  }
}

function fillHotSet(n: u64, to: usize, count: u32): void {
  const hot = parameter;
  const below = hot == lines ? <u64>0x100000000 : hotBelow;
  for (let i: u64 = 0; i < <u64>count; ++i) {
    const isHot = (drawWord(n + i, 1) & 0xffffffff) < below;
    const line = range(drawWord(n + i, 3), isHot ? hot : lines - hot);
    store<u64>(to + ((<usize>i) << 3), isHot ? line : hot + line);
  }
}

/** Lines of operations n to n + count - 1, u64 each. */
export function fillLines(n: u64, to: usize, count: u32): void {
  switch (pattern) {
    case STRESS_UNIFORM:
      fillUniform(n, to, count);
      return;
    case STRESS_ZIPFIAN:
      fillZipf(n, to, count);
      return;
    case STRESS_HOT_SET:
      fillHotSet(n, to, count);
      return;
    case STRESS_PING_PONG:
      fillPingPong(n, to, count);
      return;
    case STRESS_STRIDED:
      fillInSteps(n, to, count, parameter);
      return;
    default:
      fillInSteps(n, to, count, lines == 1 ? 0 : 1);
  }
}
