/** What the law's tests need of a machine. Free of environment: these suites run in Node and in a browser, on any engine. */

import { expect } from 'vitest';
import {
  type CachedCopy,
  type CoreConfig,
  DEFAULT_CORE_CONFIG,
  type DirectStore,
  type MemoryCore,
  type Status,
} from '../../../bindings/memory-core.ts';
import { type LineKey, PLAINTEXT_KEY, streamKey, XtsKey } from '../../oracle/line-crypto.ts';

export interface Engine {
  readonly name: string;
  create(config: CoreConfig): MemoryCore;
}

export const LINE = 64;
export const GIB = 2 ** 30;
/** A line of package 0 and one of package 1. */
export const HOME0 = 0x10000;
export const HOME1 = GIB + 0x10000;

/** KeyIDs of the test machine: 0, shared 1..7, private 8..15. */
export const TME = 0;
export const SHARED = 1;
export const SHARED2 = 2;
export const PRIVATE = 8;
export const PRIVATE2 = 9;
export const TOP_KEYID = 15;

export const CONFIG: CoreConfig = {
  ...DEFAULT_CORE_CONFIG,
  seed: 0x5ea311e5eedn,
  packages: 2,
  maxPhysAddrBits: 52,
  numSharedKeyIds: 7,
  numPrivateKeyIds: 8,
  homes: [
    { base: 0, size: GIB, package: 0 },
    { base: GIB, size: GIB, package: 1 },
  ],
};

/** 64 bytes that differ from line to line and never are zero. */
export function bytesOf(tag: number, length = LINE): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((tag * 37 + i * 11) % 255) + 1);
}

export const ZEROS = new Uint8Array(LINE);

/** The key bytes that {@link Machine.programAll} gives to a KeyID: data key, then tweak key. */
export function directKey(keyId: number, aesBits: number): Uint8Array {
  return bytesOf(keyId + 100, aesBits / 4);
}

export class Machine {
  readonly core: MemoryCore;

  constructor(engine: Engine, overrides: Partial<CoreConfig> = {}) {
    this.core = engine.create({ ...CONFIG, ...overrides });
  }

  /** Known, different keys for all KeyIDs but 0, the same on both packages. */
  programAll(): this {
    for (let keyId = 1; keyId <= TOP_KEYID; ++keyId) this.programDirect(keyId, directKey(keyId, this.core.config.aesBits));
    return this;
  }

  programDirect(keyId: number, key: Uint8Array): void {
    this.core.mailbox.u8.set(key);
    for (let pkg = 0; pkg < this.core.config.packages; ++pkg) this.core.programKey(pkg, keyId, 'direct');
  }

  /** The key that {@link programAll} gave, for expected values. */
  keyOf(keyId: number, home = 0): LineKey {
    const { aesBits, seed } = this.core.config;
    const half = aesBits / 8;
    const bytes = directKey(keyId, aesBits);
    const [data, tweak] = keyId === TME ? streamKey(seed, home, 0, 0, aesBits) : [bytes.slice(0, half), bytes.slice(half)];
    return new XtsKey(data, tweak);
  }

  /** Full-line direct write (no cache, no check). */
  put(pa: number, keyId: number, bytes: Uint8Array): void {
    this.core.mailbox.u8.set(bytes);
    this.core.movdir64b(0, pa, keyId);
  }

  store(pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status {
    this.core.mailbox.u8.set(bytes);
    return this.core.store(pkg, pa, bytes.length, keyId);
  }

  direct(kind: DirectStore, pa: number, keyId: number, bytes: Uint8Array): Status {
    this.core.mailbox.u8.set(bytes);
    return this.core.directStore(kind, 0, pa, bytes.length, keyId);
  }

  /** Loaded bytes, or null where poison was consumed. */
  load(pkg: number, pa: number, keyId: number, length = LINE): Uint8Array | null {
    return this.core.load(pkg, pa, length, keyId) === 0 ? this.core.mailbox.u8.slice(0, length) : null;
  }

  dma(pa: number, keyId: number, length = LINE): Uint8Array | null {
    return this.core.dmaRead(pa, length, keyId) === 0 ? this.core.mailbox.u8.slice(0, length) : null;
  }

  copies(pa: number): CachedCopy[] {
    return this.core.cachedCopies(pa).sort((a, b) => a.package - b.package || a.keyId - b.keyId);
  }

  /** Who holds the line, as `package/KeyID` with * for dirty and ! for poisoned. */
  holders(pa: number): string[] {
    return this.copies(pa).map((c) => `${c.package}/${c.keyId}${c.dirty ? '*' : ''}${c.poison ? '!' : ''}`);
  }

  /** By how much the counters grew while `act` ran. */
  counted(act: () => void): Record<string, number> {
    const before = this.core.counters();
    act();
    return Object.fromEntries(Object.entries(this.core.counters()).map(([name, value]) => [name, value - before[name]]));
  }
}

/** A machine whose KeyIDs all have known keys. */
export function keyed(engine: Engine, overrides: Partial<CoreConfig> = {}): Machine {
  return new Machine(engine, overrides).programAll();
}

/** A small deterministic stream of u32 for the statistical tests. */
export function randomStream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return (z ^ (z >>> 14)) >>> 0;
  };
}

/** Four standard deviations of a binomial count around its mean. */
export function expectBinomial(count: number, tries: number, probability: number): void {
  const mean = tries * probability;
  const spread = 4 * Math.sqrt(mean * (1 - probability));
  expect(count).toBeGreaterThan(mean - spread);
  expect(count).toBeLessThan(mean + spread);
}

export { PLAINTEXT_KEY };
