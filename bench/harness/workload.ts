/** Seeded inputs, the same in every run, and digests that do not come from the core. */
import { createHash } from 'node:crypto';

/** Marsaglia's xorshift32: every value but 0, period 2^32 - 1. */
export function random(seed: number): () => number {
  let x = seed >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** Fills all of `bytes`, whose length is a multiple of 4, and gives it back. */
export function scramble<T extends Uint8Array>(bytes: T, seed: number): T {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const next = random(seed);
  for (let i = 0; i < words.length; i++) words[i] = next();
  return bytes;
}

/** 0 … count-1 in a seeded order. */
export function shuffled(count: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const next = random(seed);
  for (let i = count - 1; i > 0; i--) {
    const j = next() % (i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export const KIB = 1024;
export const MIB = KIB ** 2;
export const GIB = KIB ** 3;
export const TIB = KIB ** 4;
export const LINE = 64;
export const PAGE = 4096;

/** 1 MiB, 64 GiB: as the table shows it. */
export function sizeName(bytes: number): string {
  const unit = Math.floor(Math.log2(bytes) / 10);
  return `${bytes / KIB ** unit} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][unit]}`;
}
