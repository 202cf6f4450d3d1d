/** The result record: position, digests and counts, up to date after every operation. */
import { provenance } from '../config';
import {
  FAULT_CHECK,
  FAULT_KEY_ID,
  FAULT_LINE,
  FAULT_MAC_WOULD_FIRE,
  FAULT_POISONED_BY,
  FAULT_STORED_KEY_ID,
  FAULT_STORED_TD_BIT,
  FAULT_TD_BIT_WOULD_FIRE,
  FAULT_WRITER,
  STRESS_BY_OPERATION,
  STRESS_DIGEST,
  STRESS_FAULTS,
  STRESS_PROVENANCE_DIGEST,
  STRESS_RESULT_BYTES,
} from '../layout';
import { fault } from '../memory-map';
import { stream } from './draw';

export const result: usize = memory.data(STRESS_RESULT_BYTES, 16);

const MULTIPLIER: u64 = 0x9fb21c651e98df25;
const FAULT: u64 = 0x4641554c54000000;

export function resetRecord(): void {
  memory.fill(result, 0, STRESS_RESULT_BYTES);
  store<u64>(result, stream, STRESS_DIGEST);
  store<u64>(result, stream, STRESS_PROVENANCE_DIGEST);
}

/** One-to-one in the answer and in the digest before it: runs that differ in one answer differ for good. */
function folded(digest: u64, answer: u64): u64 {
  const product = (digest ^ answer) * MULTIPLIER;
  return product ^ (product >> 32);
}

export function answer(value: u64): void {
  store<u64>(result, folded(load<u64>(result, STRESS_DIGEST), value), STRESS_DIGEST);
}

/** The fault record is the answer. */
export function answerFault(): void {
  const check = load<u32>(fault, FAULT_CHECK);
  const kinds =
    check |
    (load<u32>(fault, FAULT_MAC_WOULD_FIRE) << 4) |
    (load<u32>(fault, FAULT_TD_BIT_WOULD_FIRE) << 8) |
    (load<u32>(fault, FAULT_STORED_TD_BIT) << 12);
  const keyIds = load<u32>(fault, FAULT_STORED_KEY_ID) | (load<u32>(fault, FAULT_KEY_ID) << 16);
  answer(FAULT ^ <u64>kinds ^ ((<u64>keyIds) << 16));
  answer(load<u64>(fault, FAULT_LINE));
  increment(STRESS_FAULTS + (check << 3));
  if (!provenance) return;
  const writers = <u64>load<u32>(fault, FAULT_POISONED_BY) | ((<u64>load<u32>(fault, FAULT_WRITER)) << 32);
  store<u64>(result, folded(load<u64>(result, STRESS_PROVENANCE_DIGEST), writers), STRESS_PROVENANCE_DIGEST);
}

export function countOperation(operation: u32): void {
  increment(STRESS_BY_OPERATION + (operation << 3));
}

function increment(offset: usize): void {
  store<u64>(result + offset, load<u64>(result + offset) + 1);
}
