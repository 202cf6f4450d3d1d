/** The integrity code of DRAM lines (docs/memory-law.md, "Keys and MAC"), two lines at a time. */
import { keccakPairLane0, sha3_256, statePair } from './keccak';
import { writeLabel } from './key-stream';

const LINE_BYTES: usize = 64;
const TWEAK_BYTES: usize = 16;
const MAC_KEY_BYTES: usize = 16;
const STATE_BYTES: usize = 400;
/** State lanes lie 16 bytes apart: the first behind ciphertext and T0, and the last of the rate. */
const TAIL: usize = 160;
const LAST_OF_RATE: usize = 256;

const message = memory.data(64, 16);
const digest = memory.data(32, 16);

/** Writes the machine's 16-byte MAC key to `out`. */
export function deriveMacKey(seed: u64, out: usize): void {
  const end = writeLabel(message, 'seamline-mac');
  store<u64>(end, seed);
  sha3_256(message, <u32>(end + 8 - message), digest);
  memory.copy(out, digest, MAC_KEY_BYTES);
}

/** 16 bytes of either message become two lanes of either state. */
function absorbPair(first: usize, second: usize, to: usize): void {
  const a = v128.load(first);
  const b = v128.load(second);
  v128.store(to, v128.shuffle<u64>(a, b, 0, 2), 0);
  v128.store(to, v128.shuffle<u64>(a, b, 1, 3), 16);
}

/** TD bit, MAC key and the padding of SHA3-256, which all messages share. */
function absorbTail(tdBit: u32, macKey: usize): void {
  const low = load<u64>(macKey, 0);
  const high = load<u64>(macKey, 8);
  v128.store(statePair, i64x2.splat((low << 8) | tdBit), TAIL);
  v128.store(statePair, i64x2.splat((high << 8) | (low >> 56)), TAIL + 16);
  v128.store(statePair, i64x2.splat((high >> 56) | 0x600), TAIL + 32);
  for (let i: usize = TAIL + 48; i < STATE_BYTES; i += 16) v128.store(statePair + i, i64x2.splat(0));
  v128.store(statePair, i64x2.splat(0x8000000000000000), LAST_OF_RATE);
}

/** Lane 0 of the digests of two lines. */
function digestPair(cipher: usize, otherCipher: usize, tweak: usize, otherTweak: usize, tdBit: u32, macKey: usize): v128 {
  for (let i: usize = 0; i < LINE_BYTES; i += 16) absorbPair(cipher + i, otherCipher + i, statePair + (i << 1));
  absorbPair(tweak, otherTweak, statePair + (LINE_BYTES << 1));
  absorbTail(tdBit, macKey);
  return keccakPairLane0();
}

/**
 * First u32 of SHA3-256(ciphertext ‖ T0 ‖ TD bit ‖ MAC key) of each of `lines` lines, to `macsOut`; the caller keeps the low
 * `macBits` bits. `tweaks` holds a T0 for each line.
 */
export function lineMacs(ciphertexts: usize, tweaks: usize, lines: u32, tdBit: u32, macKey: usize, macsOut: usize): void {
  for (; lines >= 2; lines -= 2) {
    const lanes = digestPair(ciphertexts, ciphertexts + LINE_BYTES, tweaks, tweaks + TWEAK_BYTES, tdBit, macKey);
    store<u32>(macsOut, i32x4.extract_lane(lanes, 0), 0);
    store<u32>(macsOut, i32x4.extract_lane(lanes, 2), 4);
    ciphertexts += LINE_BYTES * 2;
    tweaks += TWEAK_BYTES * 2;
    macsOut += 8;
  }
  if (lines != 0) store<u32>(macsOut, lineMac(ciphertexts, tweaks, tdBit, macKey));
}

/** The same of one line. */
export function lineMac(ciphertext: usize, tweak: usize, tdBit: u32, macKey: usize): u32 {
  return i32x4.extract_lane(digestPair(ciphertext, ciphertext, tweak, tweak, tdBit, macKey), 0);
}
