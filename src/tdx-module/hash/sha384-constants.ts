// FIPS 180-4 §4.2.3 and §5.3.4: the constants are the first 64 fractional bits of roots of primes, so they are computed.

const MASK64 = (1n << 64n) - 1n;
const LOW32 = 0xffff_ffffn;

const primes = (count: number): bigint[] => {
  const found: bigint[] = [];
  for (let n = 2n; found.length < count; n++) if (found.every((p) => n % p !== 0n)) found.push(n);
  return found;
};

/** floor(value^(1/degree)) by bisection. */
const integerRoot = (value: bigint, degree: bigint): bigint => {
  let low = 0n;
  let high = 1n << (BigInt(value.toString(2).length) / degree + 1n);
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= value) low = middle;
    else high = middle;
  }
  return low;
};

const fraction = (prime: bigint, degree: bigint): bigint => integerRoot(prime << (64n * degree), degree) & MASK64;

/** 64-bit words as pairs of signed 32-bit halves, high first. */
const halves = (words: readonly bigint[]): Int32Array =>
  Int32Array.from(words.flatMap((word) => [Number(word >> 32n) | 0, Number(word & LOW32) | 0]));

/** K of SHA-384 and SHA-512: cube roots of the first 80 primes. */
export const ROUND_CONSTANTS = /* @__PURE__ */ halves(primes(80).map((prime) => fraction(prime, 3n)));

/** H(0) of SHA-384: square roots of the 9th to 16th prime. */
export const INITIAL_STATE = /* @__PURE__ */ halves(
  primes(16)
    .slice(8)
    .map((prime) => fraction(prime, 2n)),
);
