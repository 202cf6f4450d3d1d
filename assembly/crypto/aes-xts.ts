/** AES-XTS (FIPS 197, IEEE 1619) on 64-byte lines: one data unit a line, its number is the line number. */

const BLOCK_BYTES: usize = 16;
const LINE_BYTES: usize = 64;
const TWEAK_KEY_OFFSET: usize = 32;

/** Schedule: round keys of the data key (encrypt, decrypt) and of the tweak key, then the number of rounds. */
const DECRYPT: usize = 240;
const TWEAK: usize = 480;
const ROUNDS: usize = 720;
export const XTS_SCHEDULE_BYTES: usize = 736;

/** Column tables, four rotations each of 256 u32: S-box with MixColumns, inverse S-box with InvMixColumns. */
const encryptTable = memory.data(4096, 64);
const decryptTable = memory.data(4096, 64);
const sbox = memory.data(256, 64);
const inverseSbox = memory.data(256, 64);
const tweakBlock = memory.data(16, 16);

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
    setSubstitution(p, b ^ rotl<u8>(b, 1) ^ rotl<u8>(b, 2) ^ rotl<u8>(b, 3) ^ rotl<u8>(b, 4) ^ 0x63);
  } while (p != 1);
  setSubstitution(0, 0x63);
}

function setSubstitution(from: u32, to: u8): void {
  store<u8>(sbox + from, to);
  store<u8>(inverseSbox + to, <u8>from);
}

function setColumns(table: usize, byte: u32, column: u32): void {
  for (let row: u32 = 0; row < 4; ++row) store<u32>(table + (row << 10) + (byte << 2), rotl<u32>(column, row << 3));
}

function mixColumn(s: u32, m0: u32, m1: u32, m2: u32, m3: u32): u32 {
  return multiply(s, m0) | (multiply(s, m1) << 8) | (multiply(s, m2) << 16) | (multiply(s, m3) << 24);
}

function buildTables(): void {
  buildSbox();
  for (let byte: u32 = 0; byte < 256; ++byte) {
    setColumns(encryptTable, byte, mixColumn(load<u8>(sbox + byte), 2, 1, 1, 3));
    setColumns(decryptTable, byte, mixColumn(load<u8>(inverseSbox + byte), 14, 9, 13, 11));
  }
}
buildTables();

/** One column of a full round: bytes 0..3 come from the columns that ShiftRows brings together. */
function column(table: usize, c0: u32, c1: u32, c2: u32, c3: u32): u32 {
  return (
    load<u32>(table + ((c0 & 0xff) << 2)) ^
    load<u32>(table + (((c1 >> 8) & 0xff) << 2), 1024) ^
    load<u32>(table + (((c2 >> 16) & 0xff) << 2), 2048) ^
    load<u32>(table + ((c3 >> 24) << 2), 3072)
  );
}

/** The same without MixColumns: the last round. */
function lastColumn(box: usize, c0: u32, c1: u32, c2: u32, c3: u32): u32 {
  return (
    <u32>load<u8>(box + (c0 & 0xff)) |
    ((<u32>load<u8>(box + ((c1 >> 8) & 0xff))) << 8) |
    ((<u32>load<u8>(box + ((c2 >> 16) & 0xff))) << 16) |
    ((<u32>load<u8>(box + (c3 >> 24))) << 24)
  );
}

/** One AES block in place. ShiftRows goes to the left when encrypting (`left`), to the right when decrypting. */
function cryptBlock(block: usize, keys: usize, rounds: u32, left: bool): void {
  const table = left ? encryptTable : decryptTable;
  const box = left ? sbox : inverseSbox;
  let c0 = load<u32>(block, 0) ^ load<u32>(keys, 0);
  let c1 = load<u32>(block, 4) ^ load<u32>(keys, 4);
  let c2 = load<u32>(block, 8) ^ load<u32>(keys, 8);
  let c3 = load<u32>(block, 12) ^ load<u32>(keys, 12);
  for (let round: u32 = 1; round < rounds; ++round) {
    keys += BLOCK_BYTES;
    const t0 = column(table, c0, left ? c1 : c3, c2, left ? c3 : c1) ^ load<u32>(keys, 0);
    const t1 = column(table, c1, left ? c2 : c0, c3, left ? c0 : c2) ^ load<u32>(keys, 4);
    const t2 = column(table, c2, left ? c3 : c1, c0, left ? c1 : c3) ^ load<u32>(keys, 8);
    c3 = column(table, c3, left ? c0 : c2, c1, left ? c2 : c0) ^ load<u32>(keys, 12);
    c0 = t0;
    c1 = t1;
    c2 = t2;
  }
  keys += BLOCK_BYTES;
  store<u32>(block, lastColumn(box, c0, left ? c1 : c3, c2, left ? c3 : c1) ^ load<u32>(keys, 0), 0);
  store<u32>(block, lastColumn(box, c1, left ? c2 : c0, c3, left ? c0 : c2) ^ load<u32>(keys, 4), 4);
  store<u32>(block, lastColumn(box, c2, left ? c3 : c1, c0, left ? c1 : c3) ^ load<u32>(keys, 8), 8);
  store<u32>(block, lastColumn(box, c3, left ? c0 : c2, c1, left ? c2 : c0) ^ load<u32>(keys, 12), 12);
}

function substituteWord(word: u32): u32 {
  return lastColumn(sbox, word, word, word, word);
}

/** FIPS 197 §5.2 for a key of `words` u32. */
function expandEncryptKeys(key: usize, words: u32, keys: usize): void {
  memory.copy(keys, key, words << 2);
  let constant: u32 = 1;
  for (let i = words; i < (words + 7) << 2; ++i) {
    let word = load<u32>(keys + ((i - 1) << 2));
    if (i % words == 0) {
      word = substituteWord(rotr<u32>(word, 8)) ^ constant;
      constant = multiply(constant, 2);
    } else if (words > 6 && i % words == 4) {
      word = substituteWord(word);
    }
    store<u32>(keys + (i << 2), word ^ load<u32>(keys + ((i - words) << 2)));
  }
}

/** Equivalent inverse cipher (FIPS 197 §5.3.5): keys in reverse order, InvMixColumns on all but the outer two. */
function expandDecryptKeys(encryptKeys: usize, rounds: u32, keys: usize): void {
  for (let round: u32 = 0; round <= rounds; ++round) {
    const outer = round == 0 || round == rounds;
    for (let i: u32 = 0; i < 16; i += 4) {
      const word = load<u32>(encryptKeys + ((rounds - round) << 4) + i);
      const mixed = substituteWord(word);
      store<u32>(keys + (round << 4) + i, outer ? word : column(decryptTable, mixed, mixed, mixed, mixed));
    }
  }
}

/** Expands data key (`key64` + 0) and tweak key (`key64` + 32) into XTS_SCHEDULE_BYTES at `schedule`; `aesBits` is 128 or 256. */
export function expandKey(key64: usize, aesBits: u32, schedule: usize): void {
  const words = aesBits >> 5;
  const rounds = words + 6;
  memory.fill(schedule, 0, XTS_SCHEDULE_BYTES);
  expandEncryptKeys(key64, words, schedule);
  expandDecryptKeys(schedule, rounds, schedule + DECRYPT);
  expandEncryptKeys(key64 + TWEAK_KEY_OFFSET, words, schedule + TWEAK);
  store<u32>(schedule, rounds, ROUNDS);
}

/** Writes T0 = AES(tweak key, line number), 16 bytes, to `tweakOut`. */
export function xtsTweak(schedule: usize, line: u64, tweakOut: usize): void {
  store<u64>(tweakOut, line, 0);
  store<u64>(tweakOut, 0, 8);
  cryptBlock(tweakOut, schedule + TWEAK, load<u32>(schedule, ROUNDS), true);
}

/** The four blocks of a line from `src` to `dst`, the tweak doubling in GF(2^128) from block to block. */
function cryptLine(schedule: usize, line: u64, src: usize, dst: usize, encrypt: bool): void {
  const rounds = load<u32>(schedule, ROUNDS);
  const keys = encrypt ? schedule : schedule + DECRYPT;
  xtsTweak(schedule, line, tweakBlock);
  let low = load<u64>(tweakBlock, 0);
  let high = load<u64>(tweakBlock, 8);
  for (let i: usize = 0; i < LINE_BYTES; i += BLOCK_BYTES) {
    store<u64>(dst + i, load<u64>(src + i, 0) ^ low, 0);
    store<u64>(dst + i, load<u64>(src + i, 8) ^ high, 8);
    cryptBlock(dst + i, keys, rounds, encrypt);
    store<u64>(dst + i, load<u64>(dst + i, 0) ^ low, 0);
    store<u64>(dst + i, load<u64>(dst + i, 8) ^ high, 8);
    const carry = high >> 63;
    high = (high << 1) | (low >> 63);
    low = (low << 1) ^ (carry * 0x87);
  }
}

/** Encrypts 64 bytes from `src` to `dst` (which may be the same) as data unit `line`. */
export function xtsEncryptLine(schedule: usize, line: u64, src: usize, dst: usize): void {
  cryptLine(schedule, line, src, dst, true);
}

/** Decrypts 64 bytes from `src` to `dst` (which may be the same) as data unit `line`. */
export function xtsDecryptLine(schedule: usize, line: u64, src: usize, dst: usize): void {
  cryptLine(schedule, line, src, dst, false);
}
