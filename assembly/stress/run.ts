/** The loop: one operation is one draw from the mix (docs/stress-law.md). */
import { packages } from '../config';
import { setEvent } from '../events';
import {
  STRESS_CLFLUSH,
  STRESS_DMA_READ,
  STRESS_DMA_WRITE,
  STRESS_EVICT,
  STRESS_FLIP,
  STRESS_LOAD,
  STRESS_MOVDIR64B,
  STRESS_MOVNTI,
  STRESS_PING_PONG,
  STRESS_POSITION,
  STRESS_REKEY,
  STRESS_STORE,
  STRESS_WALK,
  STRESS_WBINVD,
} from '../layout';
import { drawWord } from './draw';
import * as operations from './operations';
import { lineOf } from './pattern';
import { baseLine, chooseOperation, crossBelow, keyCount, ownerOf, pattern } from './program';
import { countOperation, result } from './record';

/** Runs the next `count` operations. What is out of memory stops between two of them. */
export function run(count: u64): void {
  const end = load<u64>(result, STRESS_POSITION) + count;
  for (let n = end - count; n < end; ++n) {
    step(n);
    store<u64>(result, n + 1, STRESS_POSITION);
  }
}

/** The memory's own KeyID, its neighbour in turn, or now and then any. */
function chooseKeyId(n: u64, line: u64, word: u64): u32 {
  if (<u32>(word >> 41) < crossBelow) return <u32>(((drawWord(n, 2) >> 48) * <u64>keyCount) >> 16);
  const owner = ownerOf(line);
  if (pattern != STRESS_PING_PONG || (n & 1) == 0) return owner;
  return owner + 1 == keyCount ? 0 : owner + 1;
}

function step(n: u64): void {
  const word = drawWord(n, 0);
  const operation = chooseOperation(word & 0xffffffff);
  const pkg = <u32>((((word >> 32) & 63) * <u64>packages) >> 6);
  const offset = lineOf(n);
  const keyId = chooseKeyId(n, offset, word);
  const line = baseLine + offset;
  const pa = (line << 6) | ((word >> 35) & 0x38);
  setEvent(<u32>(n + 1));
  perform(n, operation, pkg, line, pa, keyId);
  countOperation(operation);
}

function perform(n: u64, operation: u32, pkg: u32, line: u64, pa: u64, keyId: u32): void {
  switch (operation) {
    case STRESS_LOAD:
      operations.load_(pkg, pa, keyId);
      return;
    case STRESS_STORE:
      operations.store_(pkg, pa, keyId, drawWord(n, 2));
      return;
    case STRESS_MOVDIR64B:
      operations.movdir64b(line, keyId, drawWord(n, 2));
      return;
    case STRESS_MOVNTI:
      operations.movnti(pa, keyId, drawWord(n, 2));
      return;
    case STRESS_CLFLUSH:
      operations.clflush(line, keyId);
      return;
    case STRESS_WBINVD:
      operations.wbinvd(pkg);
      return;
    case STRESS_EVICT:
      operations.evict(pkg);
      return;
    case STRESS_DMA_READ:
      operations.dmaRead(pa, keyId);
      return;
    case STRESS_DMA_WRITE:
      operations.dmaWrite(line, keyId, drawWord(n, 2), drawWord(n, 3));
      return;
    case STRESS_REKEY:
      operations.rekey(pkg, drawWord(n, 2), drawWord(n, 3));
      return;
    case STRESS_WALK:
      operations.walk(pkg, drawWord(n, 2), drawWord(n, 3));
      return;
    case STRESS_FLIP:
      operations.flip(line, drawWord(n, 2), drawWord(n, 3));
  }
}
