/** Key expansion (FIPS 197 §5.2) into the bit planes that `aes-encrypt` and `aes-decrypt` take. */
import { PLANES_BYTES } from './planes';

const MAX_ROUND_KEYS: usize = 15;
const BLOCK_BYTES: usize = 16;

/** Planes of the round keys of the data key, of the tweak key, then the number of rounds. */
const TWEAK: usize = MAX_ROUND_KEYS * PLANES_BYTES;
const ROUNDS: usize = TWEAK * 2;
const TWEAK_KEY_OFFSET: usize = 32;
export const XTS_SCHEDULE_BYTES: usize = ROUNDS + 16;

const sbox = memory.data(256, 64);
const words = memory.data(240, 16);

/** Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
function multiply(a: u32, b: u32): u32 {
  let product: u32 = 0;
  for (; b != 0; b >>= 1) {
    product ^= a * (b & 1);
    a = (a << 1) ^ ((a >> 7) * 0x11b);
  }
  return product;
}

/** FIPS 197 §5.1.1: affine map of the multiplicative inverse, found by walking 3^i and 3^-i together. */
function buildSbox(): void {
  let p: u32 = 1;
  let inverse: u32 = 1;
  do {
    p = multiply(p, 3);
    inverse = multiply(inverse, 0xf6);
    const b = <u8>inverse;
    store<u8>(sbox + p, b ^ rotl<u8>(b, 1) ^ rotl<u8>(b, 2) ^ rotl<u8>(b, 3) ^ rotl<u8>(b, 4) ^ 0x63);
  } while (p != 1);
  store<u8>(sbox, 0x63);
}
buildSbox();

function substituteWord(word: u32): u32 {
  let result: u32 = 0;
  for (let shift: u32 = 0; shift < 32; shift += 8) result |= (<u32>load<u8>(sbox + ((word >> shift) & 0xff))) << shift;
  return result;
}

function expandWords(key: usize, keyWords: u32): void {
  memory.copy(words, key, keyWords << 2);
  let constant: u32 = 1;
  for (let i = keyWords; i < (keyWords + 7) << 2; ++i) {
    let word = load<u32>(words + ((i - 1) << 2));
    if (i % keyWords == 0) {
      word = substituteWord(rotr<u32>(word, 8)) ^ constant;
      constant = multiply(constant, 2);
    } else if (keyWords > 6 && i % keyWords == 4) {
      word = substituteWord(word);
    }
    store<u32>(words + (i << 2), word ^ load<u32>(words + ((i - keyWords) << 2)));
  }
}

/** A round key for all eight blocks: each bit becomes a byte of ones or zeros. */
function spread(key: v128, planes: usize): void {
  for (let bit: u32 = 0; bit < 8; ++bit) {
    const one = i8x16.splat(<i8>((<u32>1) << bit));
    v128.store(planes + ((<usize>bit) << 4), i8x16.eq(v128.and(key, one), one));
  }
}

/** All round keys but the first carry the S-box's constant, which MixColumns maps to itself. */
function expand(key: usize, keyWords: u32, planes: usize): void {
  expandWords(key, keyWords);
  spread(v128.load(words), planes);
  for (let round: usize = 1; round <= keyWords + 6; ++round) {
    const key = v128.xor(v128.load(words + round * BLOCK_BYTES), i8x16.splat(0x63));
    spread(key, planes + round * PLANES_BYTES);
  }
}

/** Expands data key (`key64` + 0) and tweak key (`key64` + 32) into XTS_SCHEDULE_BYTES at `schedule`; `aesBits` is 128 or 256. */
export function expandKey(key64: usize, aesBits: u32, schedule: usize): void {
  const keyWords = aesBits >> 5;
  expand(key64, keyWords, schedule);
  expand(key64 + TWEAK_KEY_OFFSET, keyWords, schedule + TWEAK);
  store<u32>(schedule, keyWords + 6, ROUNDS);
}

export function roundsOf(schedule: usize): u32 {
  return load<u32>(schedule, ROUNDS);
}

export function tweakKeys(schedule: usize): usize {
  return schedule + TWEAK;
}
