/** Bits of eight AES blocks side by side: plane b holds bit b of every byte; bit i of its byte j belongs to block i. */

export const PLANES_BYTES: usize = 128;

/** The bits in which `a`, moved down, and `b` differ. */
function difference(a: v128, b: v128, shift: i32, mask: u8): v128 {
  return v128.and(v128.xor(i64x2.shr_u(a, shift), b), i8x16.splat(mask));
}

function raise(a: v128, difference: v128, shift: i32): v128 {
  return v128.xor(a, i64x2.shl(difference, shift));
}

/** Turns eight blocks at `from` into planes at `to`, or planes into blocks: a transposition of 8 × 8 bits in every byte place. */
export function transposeBits(from: usize, to: usize): void {
  let a0 = v128.load(from, 0);
  let a1 = v128.load(from, 16);
  let a2 = v128.load(from, 32);
  let a3 = v128.load(from, 48);
  let a4 = v128.load(from, 64);
  let a5 = v128.load(from, 80);
  let a6 = v128.load(from, 96);
  let a7 = v128.load(from, 112);
  let d = difference(a0, a4, 4, 0x0f);
  a0 = raise(a0, d, 4);
  a4 = v128.xor(a4, d);
  d = difference(a1, a5, 4, 0x0f);
  a1 = raise(a1, d, 4);
  a5 = v128.xor(a5, d);
  d = difference(a2, a6, 4, 0x0f);
  a2 = raise(a2, d, 4);
  a6 = v128.xor(a6, d);
  d = difference(a3, a7, 4, 0x0f);
  a3 = raise(a3, d, 4);
  a7 = v128.xor(a7, d);
  d = difference(a0, a2, 2, 0x33);
  a0 = raise(a0, d, 2);
  a2 = v128.xor(a2, d);
  d = difference(a1, a3, 2, 0x33);
  a1 = raise(a1, d, 2);
  a3 = v128.xor(a3, d);
  d = difference(a4, a6, 2, 0x33);
  a4 = raise(a4, d, 2);
  a6 = v128.xor(a6, d);
  d = difference(a5, a7, 2, 0x33);
  a5 = raise(a5, d, 2);
  a7 = v128.xor(a7, d);
  d = difference(a0, a1, 1, 0x55);
  a0 = raise(a0, d, 1);
  a1 = v128.xor(a1, d);
  d = difference(a2, a3, 1, 0x55);
  a2 = raise(a2, d, 1);
  a3 = v128.xor(a3, d);
  d = difference(a4, a5, 1, 0x55);
  a4 = raise(a4, d, 1);
  a5 = v128.xor(a5, d);
  d = difference(a6, a7, 1, 0x55);
  a6 = raise(a6, d, 1);
  a7 = v128.xor(a7, d);
  v128.store(to, a0, 0);
  v128.store(to, a1, 16);
  v128.store(to, a2, 32);
  v128.store(to, a3, 48);
  v128.store(to, a4, 64);
  v128.store(to, a5, 80);
  v128.store(to, a6, 96);
  v128.store(to, a7, 112);
}
