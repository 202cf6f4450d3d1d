/** Which line of the footprint an operation goes to. The patterns that go in order keep a cursor instead of dividing. */
import { STRESS_HOT_SET, STRESS_PING_PONG, STRESS_STRIDED, STRESS_UNIFORM, STRESS_ZIPFIAN } from '../layout';
import { drawWord, range } from './draw';
import { chooseBucket, hotBelow, lines, parameter, pattern } from './program';

let cursor: u64 = 0;
/** ping-pong: how often the line under the cursor has been taken. */
let taken: u64 = 0;

export function resetPattern(): void {
  cursor = 0;
  taken = 0;
}

function advance(by: u64): u64 {
  const line = cursor;
  const next = line + by;
  cursor = next >= lines ? next - lines : next;
  return line;
}

function pingPong(): u64 {
  const line = cursor;
  taken += 1;
  if (taken == parameter) {
    taken = 0;
    advance(1);
  }
  return line;
}

function zipfLine(n: u64): u64 {
  const bucket = chooseBucket(drawWord(n, 1) >> 12);
  const width = load<u64>(bucket, 16);
  const first = load<u64>(bucket, 8);
  return width == 1 ? first : first + range(drawWord(n, 3), width);
}

function hotSetLine(n: u64): u64 {
  const hot = parameter;
  const isHot = (drawWord(n, 1) & 0xffffffff) < hotBelow || hot == lines;
  return isHot ? range(drawWord(n, 3), hot) : hot + range(drawWord(n, 3), lines - hot);
}

export function lineOf(n: u64): u64 {
  switch (pattern) {
    case STRESS_UNIFORM:
      return range(drawWord(n, 1), lines);
    case STRESS_ZIPFIAN:
      return zipfLine(n);
    case STRESS_HOT_SET:
      return hotSetLine(n);
    case STRESS_STRIDED:
      return advance(parameter);
    case STRESS_PING_PONG:
      return pingPong();
    default:
      return advance(1);
  }
}
