/** Integers below 2^52 cross the boundary as doubles; with the exponent of 2^52 they lie in the low bits. */

export const EXPONENT: u64 = 0x4330000000000000;
export const TWO_52: f64 = 4503599627370496.0;

/** With the exponent: one instruction. */
export function bitsOf(x: f64): u64 {
  return reinterpret<u64>(x + TWO_52);
}

export function toU64(x: f64): u64 {
  return bitsOf(x) & ~EXPONENT;
}

export function toF64(x: u64): f64 {
  return <f64>(<i64>x);
}

/** Are all of these whole numbers below 2^52? Minus zero is reported as none. */
export function areWhole(at: usize, n: u32): bool {
  let odd = i64x2.splat(0);
  for (let i: u32 = 0; i + 2 <= n; i += 2) odd = v128.or(odd, oddity(v128.load(at + ((<usize>i) << 3))));
  if ((n & 1) != 0) odd = v128.or(odd, oddity(v128.load64_splat(at + ((<usize>(n - 1)) << 3))));
  return !v128.any_true(odd);
}

/** Zeros for whole numbers below 2^52. */
function oddity(x: v128): v128 {
  const raised = f64x2.add(x, f64x2.splat(TWO_52));
  const exponents = v128.xor(i64x2.shr_u(raised, 52), i64x2.splat(EXPONENT >> 52));
  return v128.or(v128.xor(f64x2.sub(raised, f64x2.splat(TWO_52)), x), exponents);
}
