/** The model one writes first: an object a line in a `Map` keyed by bigint. */
import { LINE, NOBODY, type PeerMemory } from './model.ts';

interface DramLine {
  data: Uint8Array;
  keyId: number;
  generation: number;
  poison: boolean;
}

interface CachedLine {
  readonly line: bigint;
  readonly keyId: number;
  data: Uint8Array;
  dirty: boolean;
  poison: boolean;
}

const KEY_ID_BITS = 15n;

export class NaiveMap implements PeerMemory {
  readonly #dram = new Map<bigint, DramLine>();
  readonly #cache = new Map<bigint, CachedLine>();
  readonly #generations = new Map<number, number>();

  programKey(keyId: number): void {
    this.#generations.set(keyId, this.#generation(keyId) + 1);
  }

  write(pa: number, keyId: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += LINE) {
      const cached = this.#fill(this.#line(pa + at), keyId);
      cached.data = bytes.slice(at, at + LINE);
      cached.dirty = true;
    }
  }

  read(pa: number, keyId: number, out: Uint8Array): number {
    for (let at = 0; at < out.length; at += LINE) {
      const cached = this.#fill(this.#line(pa + at), keyId);
      if (cached.poison) return 1;
      out.set(cached.data, at);
    }
    return 0;
  }

  directWrite(pa: number, keyId: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += LINE) {
      const line = this.#line(pa + at);
      this.#cache.delete(this.#tag(line, keyId));
      this.#store(line, keyId, bytes.slice(at, at + LINE), false);
    }
  }

  dmaRead(pa: number, keyId: number, out: Uint8Array): number {
    for (let at = 0; at < out.length; at += LINE) {
      const line = this.#line(pa + at);
      const cached = this.#cache.get(this.#tag(line, keyId));
      if (cached) this.#writeBack(cached);
      const { data, poison } = this.#load(line, keyId);
      if (poison) return 1;
      out.set(data, at);
    }
    return 0;
  }

  wbinvd(): void {
    const tags = [...this.#cache.keys()].sort((a, b) => (a < b ? -1 : 1));
    for (const tag of tags) this.#writeBack(this.#cache.get(tag)!);
    this.#cache.clear();
  }

  #line(pa: number): bigint {
    return BigInt(pa / LINE);
  }

  #tag(line: bigint, keyId: number): bigint {
    return (line << KEY_ID_BITS) | BigInt(keyId);
  }

  #generation(keyId: number): number {
    return this.#generations.get(keyId) ?? 0;
  }

  #fill(line: bigint, keyId: number): CachedLine {
    const tag = this.#tag(line, keyId);
    let cached = this.#cache.get(tag);
    if (!cached) {
      cached = { line, keyId, dirty: false, ...this.#load(line, keyId) };
      this.#cache.set(tag, cached);
    }
    return cached;
  }

  #writeBack(cached: CachedLine): void {
    if (cached.dirty) this.#store(cached.line, cached.keyId, cached.data, cached.poison);
    cached.dirty = false;
  }

  #store(line: bigint, keyId: number, data: Uint8Array, poison: boolean): void {
    this.#dram.set(line, { data, keyId, generation: this.#generation(keyId), poison });
  }

  /** The controller's read: TD bit first, MAC second; new poison stays in the line. */
  #load(line: bigint, keyId: number): { data: Uint8Array; poison: boolean } {
    const zeros = new Uint8Array(LINE);
    const stored = this.#dram.get(line) ?? { data: zeros, keyId: NOBODY, generation: 0, poison: false };
    if (stored.poison) return { data: zeros, poison: true };
    const tdBit = stored.keyId !== 0;
    if (keyId === 0) return { data: tdBit ? zeros : stored.data, poison: false };
    const macIsRight = stored.keyId === keyId && stored.generation === this.#generation(keyId);
    if (tdBit && macIsRight) return { data: stored.data, poison: false };
    this.#dram.set(line, { ...stored, poison: true });
    return { data: zeros, poison: true };
  }
}
