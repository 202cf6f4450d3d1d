const mix = (x: bigint): bigint => {
  let z = BigInt.asUintN(64, x + 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
};

/** A seeded stream of random numbers for one purpose (scheduler, guest, kernel, …); streams of different purposes are independent. */
export class RandomStream {
  readonly purpose: string;
  #state: bigint;

  constructor(seed: bigint, purpose: string) {
    this.purpose = purpose;
    let state = mix(seed);
    for (const char of purpose) state = mix(state ^ BigInt(char.codePointAt(0)!));
    this.#state = state;
  }

  /** 64 uniform bits. */
  next64(): bigint {
    this.#state = BigInt.asUintN(64, this.#state + 0x9e3779b97f4a7c15n);
    return mix(this.#state);
  }

  /** Uniform integer in [0, bound); bound at most 2^32. */
  below(bound: number): number {
    return Number((BigInt.asUintN(32, this.next64()) * BigInt(bound)) >> 32n);
  }

  bytes(out: Uint8Array): Uint8Array {
    for (let i = 0; i < out.length; i += 8) {
      let word = this.next64();
      for (let j = i; j < Math.min(i + 8, out.length); j++, word >>= 8n) out[j] = Number(word & 0xffn);
    }
    return out;
  }
}
