/**
 * Keccak-f[1600] (FIPS 202) on two states at once: lane i of both lies at 16·i, the first state in the low half.
 * SHA3-256 of one message uses the first state alone.
 */

const ROUNDS: u32 = 24;
const RATE_BYTES: u32 = 136;
const DIGEST_BYTES: u32 = 32;

/** The two states of `keccakPair`. */
export const statePair: usize = memory.data(400, 16);
const scratch: usize = memory.data(400, 16);
const roundConstants: usize = memory.data(192, 16);

/** FIPS 202, algorithms 5 and 6: bit 2^j - 1 of round constant i is LFSR output j + 7i. */
function buildRoundConstants(): void {
  let lfsr: u32 = 1;
  for (let round: u32 = 0; round < ROUNDS; ++round) {
    let constant: u64 = 0;
    for (let j = 0; j < 7; ++j) {
      constant |= u64(lfsr & 1) << ((u64(1) << j) - 1);
      lfsr = (lfsr << 1) ^ ((lfsr >> 7) * 0x171);
    }
    store<u64>(roundConstants + ((<usize>round) << 3), constant);
  }
}
buildRoundConstants();

function xor(a: v128, b: v128): v128 {
  return v128.xor(a, b);
}

/** Of the column whose first lane lies at `a`. */
function parity(a: usize): v128 {
  const upper = xor(xor(v128.load(a, 0), v128.load(a, 80)), xor(v128.load(a, 160), v128.load(a, 240)));
  return xor(upper, v128.load(a, 320));
}

/** θ: what column parities `left` and `right` add to the column between them. */
function effect(left: v128, right: v128): v128 {
  return xor(xor(left, i64x2.add(right, right)), i64x2.shr_u(right, 63));
}

/** Lane at `a` after θ and ρ; whole bytes move in one instruction. */
function lane(a: usize, d: v128, rotation: i32): v128 {
  const value = xor(v128.load(a), d);
  if (rotation == 0) return value;
  if (rotation == 8) return i8x16.swizzle(value, i8x16(7, 0, 1, 2, 3, 4, 5, 6, 15, 8, 9, 10, 11, 12, 13, 14));
  if (rotation == 56) return i8x16.swizzle(value, i8x16(1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 15, 8));
  return v128.or(i64x2.shl(value, rotation), i64x2.shr_u(value, 64 - rotation));
}

function chi(b0: v128, b1: v128, b2: v128): v128 {
  return xor(b0, v128.andnot(b2, b1));
}

function put(to: usize, value: v128): v128 {
  v128.store(to, value);
  return value;
}

/**
 * `count` rounds on `statePair`; returns where the result lies. π takes lane (x + 3y, x) to (x, y), so each block below is a
 * row of the output; the parities of the next θ are gathered on the way.
 */
function runRounds(count: u32): usize {
  let a = statePair;
  let b = scratch;
  let c0 = parity(a);
  let c1 = parity(a + 16);
  let c2 = parity(a + 32);
  let c3 = parity(a + 48);
  let c4 = parity(a + 64);
  const end = roundConstants + ((<usize>count) << 3);
  for (let constant = roundConstants; constant < end; constant += 8) {
    const d0 = effect(c4, c1);
    const d1 = effect(c0, c2);
    const d2 = effect(c1, c3);
    const d3 = effect(c2, c4);
    const d4 = effect(c3, c0);
    let b0 = lane(a, d0, 0);
    let b1 = lane(a + 96, d1, 44);
    let b2 = lane(a + 192, d2, 43);
    let b3 = lane(a + 288, d3, 21);
    let b4 = lane(a + 384, d4, 14);
    c0 = put(b, xor(chi(b0, b1, b2), v128.load64_splat(constant)));
    c1 = put(b + 16, chi(b1, b2, b3));
    c2 = put(b + 32, chi(b2, b3, b4));
    c3 = put(b + 48, chi(b3, b4, b0));
    c4 = put(b + 64, chi(b4, b0, b1));
    b0 = lane(a + 48, d3, 28);
    b1 = lane(a + 144, d4, 20);
    b2 = lane(a + 160, d0, 3);
    b3 = lane(a + 256, d1, 45);
    b4 = lane(a + 352, d2, 61);
    c0 = xor(c0, put(b + 80, chi(b0, b1, b2)));
    c1 = xor(c1, put(b + 96, chi(b1, b2, b3)));
    c2 = xor(c2, put(b + 112, chi(b2, b3, b4)));
    c3 = xor(c3, put(b + 128, chi(b3, b4, b0)));
    c4 = xor(c4, put(b + 144, chi(b4, b0, b1)));
    b0 = lane(a + 16, d1, 1);
    b1 = lane(a + 112, d2, 6);
    b2 = lane(a + 208, d3, 25);
    b3 = lane(a + 304, d4, 8);
    b4 = lane(a + 320, d0, 18);
    c0 = xor(c0, put(b + 160, chi(b0, b1, b2)));
    c1 = xor(c1, put(b + 176, chi(b1, b2, b3)));
    c2 = xor(c2, put(b + 192, chi(b2, b3, b4)));
    c3 = xor(c3, put(b + 208, chi(b3, b4, b0)));
    c4 = xor(c4, put(b + 224, chi(b4, b0, b1)));
    b0 = lane(a + 64, d4, 27);
    b1 = lane(a + 80, d0, 36);
    b2 = lane(a + 176, d1, 10);
    b3 = lane(a + 272, d2, 15);
    b4 = lane(a + 368, d3, 56);
    c0 = xor(c0, put(b + 240, chi(b0, b1, b2)));
    c1 = xor(c1, put(b + 256, chi(b1, b2, b3)));
    c2 = xor(c2, put(b + 272, chi(b2, b3, b4)));
    c3 = xor(c3, put(b + 288, chi(b3, b4, b0)));
    c4 = xor(c4, put(b + 304, chi(b4, b0, b1)));
    b0 = lane(a + 32, d2, 62);
    b1 = lane(a + 128, d3, 55);
    b2 = lane(a + 224, d4, 39);
    b3 = lane(a + 240, d0, 41);
    b4 = lane(a + 336, d1, 2);
    c0 = xor(c0, put(b + 320, chi(b0, b1, b2)));
    c1 = xor(c1, put(b + 336, chi(b1, b2, b3)));
    c2 = xor(c2, put(b + 352, chi(b2, b3, b4)));
    c3 = xor(c3, put(b + 368, chi(b3, b4, b0)));
    c4 = xor(c4, put(b + 384, chi(b4, b0, b1)));
    const t = a;
    a = b;
    b = t;
  }
  return a;
}

/** Keccak-f[1600] on both states of `statePair`. */
export function keccakPair(): void {
  runRounds(ROUNDS);
}

/** Lane 0 of both states after Keccak-f[1600]: of the last round only what that lane depends on. */
export function keccakPairLane0(): v128 {
  const a = runRounds(ROUNDS - 1);
  const c1 = parity(a + 16);
  const c3 = parity(a + 48);
  const c0 = parity(a);
  const b0 = lane(a, effect(parity(a + 64), c1), 0);
  const b1 = lane(a + 96, effect(c0, parity(a + 32)), 44);
  const b2 = lane(a + 192, effect(c1, c3), 43);
  return xor(chi(b0, b1, b2), v128.load64_splat(roundConstants + 184));
}

/** XORs a byte into the first state. */
function absorb(at: u32, byte: u32): void {
  const to = statePair + ((<usize>at & ~7) << 1) + (at & 7);
  store<u8>(to, load<u8>(to) ^ <u8>byte);
}

/** Writes the 32-byte SHA3-256 digest of `len` bytes at `src` to `dst`; they may overlap. */
export function sha3_256(src: usize, len: u32, dst: usize): void {
  memory.fill(statePair, 0, 400);
  let at: u32 = 0;
  for (let i: u32 = 0; i < len; ++i) {
    absorb(at, load<u8>(src + i));
    if (++at == RATE_BYTES) {
      keccakPair();
      at = 0;
    }
  }
  absorb(at, 0x06);
  absorb(RATE_BYTES - 1, 0x80);
  keccakPair();
  for (let i: usize = 0; i < DIGEST_BYTES; i += 8) store<u64>(dst + i, load<u64>(statePair + (i << 1)));
}
