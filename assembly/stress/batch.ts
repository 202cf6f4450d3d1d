/**
 * What the next operations are, drawn ahead of their execution: {package, operation, address} and {KeyID} of each, so that drawing
 * is one tight loop and executing another. A run may stop between any two; what was drawn ahead is then drawn again.
 */
import { packages } from '../config';
import { STRESS_PING_PONG } from '../layout';
import { mix } from '../mix';
import { drawWord, stream } from './draw';
import { fillLines } from './pattern';
import { baseLine, chooseOperation, crossBelow, keyCount, ownerOf, pattern } from './program';

export const BATCH: u32 = 256;
/** Of each operation: its line, then packed: address of the word (52 bits), operation (4), package (8). */
const packed: usize = memory.data(2048, 16);
const keyIds: usize = memory.data(512, 16);

const ADDRESS: u64 = 0xfffffffffffff;
const OPERATION_SHIFT: u64 = 52;
const PACKAGE_SHIFT: u64 = 56;

export function fillBatch(n: u64, count: u32): void {
  fillLines(n, packed, count);
  const first = baseLine;
  const packageCount = <u64>packages;
  const turns = pattern == STRESS_PING_PONG;
  const cross = crossBelow;
  let place = stream + (n << 2);
  for (let i: u32 = 0; i < count; ++i) {
    const word = mix(place);
    place += 4;
    const at = packed + (i << 3);
    const line = load<u64>(at);
    let keyId = ownerOf(line);
    if (turns) keyId = takeTurn(keyId, n + <u64>i);
    if (<u32>(word >> 41) < cross) keyId = <u32>(((drawWord(n + <u64>i, 2) >> 48) * <u64>keyCount) >> 16);
    const pkg = (((word >> 32) & 63) * packageCount) >> 6;
    const operation = <u64>chooseOperation(word & 0xffffffff);
    const pa = ((first + line) << 6) | ((word >> 35) & 0x38);
    store<u64>(at, pa | (operation << OPERATION_SHIFT) | (pkg << PACKAGE_SHIFT));
    store<u16>(keyIds + (i << 1), <u16>keyId);
  }
}

/** ping-pong: every second operation goes through the owner's neighbour. */
function takeTurn(owner: u32, n: u64): u32 {
  const keyId = owner + <u32>(n & 1);
  return keyId == keyCount ? 0 : keyId;
}

export function packedAt(i: u32): u64 {
  return load<u64>(packed + (i << 3));
}

export function keyIdAt(i: u32): u32 {
  return load<u16>(keyIds + (i << 1));
}

/** Address of the 8 bytes that the operation is about. */
export function addressOf(word: u64): u64 {
  return word & ADDRESS;
}

export function operationOf(word: u64): u32 {
  return <u32>(word >> OPERATION_SHIFT) & 15;
}

export function packageOf(word: u64): u32 {
  return <u32>(word >> PACKAGE_SHIFT);
}
