/** The cached lines of one package: tags, capacity and victims (docs/memory-law.md, "Capacity and victims"). */

import type { CoreConfig } from '../../bindings/memory-core.ts';
import type { Origin } from './controller.ts';

export interface CachedLine {
  readonly line: number;
  readonly keyId: number;
  bytes: Uint8Array;
  dirty: boolean;
  poison: Origin | null;
  writer: number;
}

interface Slot {
  cached: CachedLine | null;
  touched: number;
}

const U64 = (1n << 64n) - 1n;

export function mix(x: bigint): bigint {
  let z = (x + 0x9e3779b97f4a7c15n) & U64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & U64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & U64;
  return z ^ (z >> 31n);
}

/** The drain order: ascending (line, KeyID). */
export function byTag(a: CachedLine, b: CachedLine): number {
  return a.line - b.line || a.keyId - b.keyId;
}

export class PackageCache {
  readonly #sets: number;
  readonly #ways: number;
  readonly #policy: CoreConfig['cachePolicy'];
  readonly #stream: bigint;
  #draws = 0n;
  #clock = 0;
  /** Bounded: set · ways + way. Unbounded: in no order, all of them filled. */
  #slots: Slot[] = [];

  constructor(config: CoreConfig, pkg: number) {
    this.#sets = config.cacheSets;
    this.#ways = config.cacheWays;
    this.#policy = config.cachePolicy;
    this.#stream = mix(config.seed ^ 0x4556494354000000n ^ BigInt(pkg));
    this.clear();
  }

  find(line: number, keyId: number): CachedLine | null {
    return this.#slotOf(line, keyId)?.cached ?? null;
  }

  /** A load or store hit. */
  touch(line: number, keyId: number): void {
    const slot = this.#slotOf(line, keyId);
    if (slot) slot.touched = ++this.#clock;
  }

  /** The line that has to leave before `line` can be filled; null where there is room. */
  victimFor(line: number): CachedLine | null {
    if (this.#sets === 0) return null;
    const set = this.#set(line);
    if (set.some((slot) => slot.cached === null)) return null;
    if (this.#policy === 'random') return set[Number(this.#draw() % BigInt(this.#ways))].cached;
    return set.reduce((oldest, slot) => (slot.touched < oldest.touched ? slot : oldest)).cached;
  }

  fill(cached: CachedLine): void {
    const slot = this.#sets === 0 ? this.#newSlot() : this.#set(cached.line).find((way) => way.cached === null);
    if (!slot) throw new Error('oracle: fill of a full set');
    slot.cached = cached;
    slot.touched = ++this.#clock;
  }

  drop(line: number, keyId: number): void {
    const slot = this.#slotOf(line, keyId);
    if (!slot) return;
    if (this.#sets === 0) this.#slots.splice(this.#slots.indexOf(slot), 1);
    else slot.cached = null;
  }

  clear(): void {
    this.#slots = Array.from({ length: this.#sets * this.#ways }, () => ({ cached: null, touched: 0 }));
  }

  /** All held lines in drain order. */
  held(): CachedLine[] {
    return this.#slots.flatMap(({ cached }) => (cached ? [cached] : [])).sort(byTag);
  }

  /** The next seeded victim of "evict some"; null (and no draw) when nothing is held. */
  drawVictim(): CachedLine | null {
    const held = this.held();
    if (held.length === 0) return null;
    const r = this.#draw();
    if (this.#sets === 0) return held[Number(r % BigInt(held.length))];
    const start = Number(r % BigInt(this.#slots.length));
    const scan = [...this.#slots.slice(start), ...this.#slots.slice(0, start)];
    return scan.find((slot) => slot.cached !== null)?.cached ?? null;
  }

  #draw(): bigint {
    return mix((this.#stream + this.#draws++) & U64);
  }

  #set(line: number): Slot[] {
    const first = (line % this.#sets) * this.#ways;
    return this.#slots.slice(first, first + this.#ways);
  }

  #newSlot(): Slot {
    const slot: Slot = { cached: null, touched: 0 };
    this.#slots.push(slot);
    return slot;
  }

  #slotOf(line: number, keyId: number): Slot | undefined {
    return this.#slots.find(({ cached }) => cached !== null && cached.line === line && cached.keyId === keyId);
  }
}
