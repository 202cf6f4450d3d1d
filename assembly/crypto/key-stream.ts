/** Keys and labels derived from the machine's seed (docs/memory-law.md, "Keys and MAC"). */

import { sha3_256 } from './keccak';

const BLOCK_BYTES: usize = 32;
const TWEAK_KEY_OFFSET: usize = 32;

const message = memory.data(64, 16);
const block = memory.data(32, 16);

/** Writes an ASCII label at `out` and returns the address behind it. */
export function writeLabel(out: usize, label: string): usize {
  for (let i = 0; i < label.length; ++i) store<u8>(out + i, <u8>label.charCodeAt(i));
  return out + label.length;
}

/**
 * Writes the 64-byte key of (package, KeyID, generation) to `out`: data key at +0, tweak key at +32, each 16 or 32 bytes
 * (`aesBits` 128 or 256), unused bytes zero.
 */
export function deriveKey(seed: u64, pkg: u32, keyId: u32, generation: u32, aesBits: u32, out: usize): void {
  const fields = writeLabel(message, 'seamline-key');
  store<u64>(fields, seed);
  store<u32>(fields, pkg, 8);
  store<u32>(fields, keyId, 12);
  store<u32>(fields, generation, 16);
  store<u32>(fields, 0, 20);
  const length = <u32>(fields + 24 - message);
  if (aesBits == 256) {
    sha3_256(message, length, out);
    store<u32>(fields, 1, 20);
    sha3_256(message, length, out + TWEAK_KEY_OFFSET);
    return;
  }
  sha3_256(message, length, block);
  memory.fill(out, 0, BLOCK_BYTES * 2);
  memory.copy(out, block, 16);
  memory.copy(out + TWEAK_KEY_OFFSET, block + 16, 16);
}
