/** The integrity code of a DRAM line (docs/memory-law.md, "Keys and MAC"). */

import { sha3_256 } from './keccak';
import { writeLabel } from './key-stream';

const LINE_BYTES: usize = 64;
const TWEAK_BYTES: usize = 16;
const MAC_KEY_BYTES: usize = 16;

const message = memory.data(112, 16);
const digest = memory.data(32, 16);

/** Writes the machine's 16-byte MAC key to `out`. */
export function deriveMacKey(seed: u64, out: usize): void {
  const end = writeLabel(message, 'seamline-mac');
  store<u64>(end, seed);
  sha3_256(message, <u32>(end + 8 - message), digest);
  memory.copy(out, digest, MAC_KEY_BYTES);
}

/** First u32 of SHA3-256(ciphertext ‖ T0 ‖ TD bit ‖ MAC key); the caller keeps the low `macBits` bits. */
export function lineMac(ciphertext: usize, tweak: usize, tdBit: u32, macKey: usize): u32 {
  memory.copy(message, ciphertext, LINE_BYTES);
  memory.copy(message + LINE_BYTES, tweak, TWEAK_BYTES);
  const tail = message + LINE_BYTES + TWEAK_BYTES;
  store<u8>(tail, <u8>tdBit);
  memory.copy(tail + 1, macKey, MAC_KEY_BYTES);
  sha3_256(message, <u32>(LINE_BYTES + TWEAK_BYTES + 1 + MAC_KEY_BYTES), digest);
  return load<u32>(digest);
}
