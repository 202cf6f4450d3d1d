/**
 * Which lines of the footprint a batch of operations goes to. The patterns that go in order keep a cursor instead of dividing.
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

let cursor: u64 = 0;
/** ping-pong: how often the line under the cursor has been taken. */
let taken: u64 = 0;

export function resetPattern(): void {
  cursor = 0;
  taken = 0;
}

function fillInSteps(to: usize, count: u32, by: u64): void {
  const all = lines;
  let line = cursor;
  for (let at = to, end = to + ((<usize>count) << 3); at < end; at += 8) {
    store<u64>(at, line);
    line += by;
    if (line >= all) line -= all;
  }
  cursor = line;
}

function fillPingPong(to: usize, count: u32): void {
  for (let at = to, end = to + ((<usize>count) << 3); at < end; at += 8) {
    store<u64>(at, cursor);
    taken += 1;
    if (taken < parameter) continue;
    taken = 0;
    cursor = cursor + 1 == lines ? 0 : cursor + 1;
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

/** Lines of operations n to n + count - 1, u64 each. Operations come in order. */
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
      fillPingPong(to, count);
      return;
    case STRESS_STRIDED:
      fillInSteps(to, count, parameter);
      return;
    default:
      fillInSteps(to, count, lines == 1 ? 0 : 1);
  }
}
