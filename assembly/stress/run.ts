/** The loop: one operation is one draw from the mix (docs/stress-law.md). */
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
  STRESS_POSITION,
  STRESS_REKEY,
  STRESS_STORE,
  STRESS_WALK,
  STRESS_WBINVD,
} from '../layout';
import { Quick } from '../quick';
import { AHEAD, FAR_LINES, lookAhead } from './ahead';
import { addressOf, BATCH, fillBatch, keyIdAt, operationOf, packageOf, packedAt } from './batch';
import { drawWord } from './draw';
import * as operations from './operations';
import { lines } from './program';
import { answer, countOperation, result } from './record';

/** Runs the next `count` operations. What is out of memory stops between two of them. */
export function run(count: u64): void {
  const start = load<u64>(result, STRESS_POSITION);
  const end = start + count;
  const isFar = lines > FAR_LINES;
  for (let n = start; n < end; n += BATCH) {
    const size = <u32>min<u64>(BATCH, end - n);
    fillBatch(n, size);
    for (let i: u32 = 0; i < size; ++i) {
      if (isFar && i % AHEAD == 0) lookAhead(i, min(size, i + AHEAD));
      const word = packedAt(i);
      const operation = operationOf(word);
      setEvent(<u32>n + i + 1);
      Step.perform(n + <u64>i, operation, packageOf(word), addressOf(word), keyIdAt(i));
      countOperation(operation);
      store<u64>(result, n + <u64>i + 1, STRESS_POSITION);
    }
  }
}

class Step {
  /** In line: a call costs as much as a draw. */
  @inline
  static perform(n: u64, operation: u32, pkg: u32, pa: u64, keyId: u32): void {
    const line = pa >> 6;
    switch (operation) {
      case STRESS_LOAD: {
        const hit = Quick.load(pkg, pa, keyId);
        if (hit != 0) answer(load<u64>(hit));
        else operations.load_(pkg, pa, keyId);
        return;
      }
      case STRESS_STORE: {
        const hit = Quick.store(pkg, pa, keyId);
        if (hit != 0) store<u64>(hit, drawWord(n, 2));
        else operations.store_(pkg, pa, keyId, drawWord(n, 2));
        return;
      }
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
}
