/** SHA3-256 (FIPS 202) over simulated and scratch memory. */

const ROUNDS: i32 = 24;
const STATE_BYTES: usize = 200;
const RATE_BYTES: u32 = 136;
const DIGEST_BYTES: usize = 32;

const state = memory.data(200, 16);
const scratch = memory.data(200, 16);
const roundConstants = memory.data(192, 16);

/** FIPS 202, algorithms 5 and 6: bit 2^j - 1 of round constant i is LFSR output j + 7i. */
function buildRoundConstants(): void {
  let lfsr: u32 = 1;
  for (let round = 0; round < ROUNDS; ++round) {
    let constant: u64 = 0;
    for (let j = 0; j < 7; ++j) {
      constant |= u64(lfsr & 1) << ((u64(1) << j) - 1);
      lfsr = (lfsr << 1) ^ ((lfsr >> 7) * 0x171);
    }
    store<u64>(roundConstants + ((<usize>round) << 3), constant);
  }
}
buildRoundConstants();

function chiRow(row: usize, b0: u64, b1: u64, b2: u64, b3: u64, b4: u64): void {
  store<u64>(row, b0 ^ (~b1 & b2), 0);
  store<u64>(row, b1 ^ (~b2 & b3), 8);
  store<u64>(row, b2 ^ (~b3 & b4), 16);
  store<u64>(row, b3 ^ (~b4 & b0), 24);
  store<u64>(row, b4 ^ (~b0 & b1), 32);
}

/** Parity of column x: lanes lie at 8·(x + 5y). */
function parity(a: usize): u64 {
  return load<u64>(a) ^ load<u64>(a, 40) ^ load<u64>(a, 80) ^ load<u64>(a, 120) ^ load<u64>(a, 160);
}

/** ρ of lane `a` after θ: `rotation` is FIPS 202's table 2. */
function lane(a: usize, d: u64, rotation: u64): u64 {
  return rotl<u64>(load<u64>(a) ^ d, rotation);
}

/** One round from `a` into `b`: π places lane (x + 3y, x) at (x, y), so each line below is a row of the output. */
function round(a: usize, b: usize, constant: u64): void {
  const c0 = parity(a);
  const c1 = parity(a + 8);
  const c2 = parity(a + 16);
  const c3 = parity(a + 24);
  const c4 = parity(a + 32);
  const d0 = c4 ^ rotl<u64>(c1, 1);
  const d1 = c0 ^ rotl<u64>(c2, 1);
  const d2 = c1 ^ rotl<u64>(c3, 1);
  const d3 = c2 ^ rotl<u64>(c4, 1);
  const d4 = c3 ^ rotl<u64>(c0, 1);
  chiRow(b, lane(a, d0, 0), lane(a + 48, d1, 44), lane(a + 96, d2, 43), lane(a + 144, d3, 21), lane(a + 192, d4, 14));
  chiRow(b + 40, lane(a + 24, d3, 28), lane(a + 72, d4, 20), lane(a + 80, d0, 3), lane(a + 128, d1, 45), lane(a + 176, d2, 61));
  chiRow(b + 80, lane(a + 8, d1, 1), lane(a + 56, d2, 6), lane(a + 104, d3, 25), lane(a + 152, d4, 8), lane(a + 160, d0, 18));
  chiRow(b + 120, lane(a + 32, d4, 27), lane(a + 40, d0, 36), lane(a + 88, d1, 10), lane(a + 136, d2, 15), lane(a + 184, d3, 56));
  chiRow(b + 160, lane(a + 16, d2, 62), lane(a + 64, d3, 55), lane(a + 112, d4, 39), lane(a + 120, d0, 41), lane(a + 168, d1, 2));
  store<u64>(b, load<u64>(b) ^ constant);
}

/** Keccak-f[1600] on the 25 little-endian lanes at `lanes`. */
export function keccakF1600(lanes: usize): void {
  for (let i: usize = 0; i < (<usize>ROUNDS) << 3; i += 16) {
    round(lanes, scratch, load<u64>(roundConstants + i));
    round(scratch, lanes, load<u64>(roundConstants + i, 8));
  }
}

function xorBytes(dst: usize, src: usize, length: u32): void {
  for (let i: u32 = 0; i < length; ++i) {
    store<u8>(dst + i, load<u8>(dst + i) ^ load<u8>(src + i));
  }
}

/** Writes the 32-byte SHA3-256 digest of `len` bytes at `src` to `dst`; they may overlap. */
export function sha3_256(src: usize, len: u32, dst: usize): void {
  memory.fill(state, 0, STATE_BYTES);
  while (len >= RATE_BYTES) {
    xorBytes(state, src, RATE_BYTES);
    keccakF1600(state);
    src += RATE_BYTES;
    len -= RATE_BYTES;
  }
  xorBytes(state, src, len);
  store<u8>(state + len, load<u8>(state + len) ^ 0x06);
  store<u8>(state, load<u8>(state, RATE_BYTES - 1) ^ 0x80, RATE_BYTES - 1);
  keccakF1600(state);
  memory.copy(dst, state, DIGEST_BYTES);
}
