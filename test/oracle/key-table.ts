/** The key tables of all packages: what PCONFIG programmed, per (package, KeyID). */

import type { CoreConfig } from '../../bindings/memory-core.ts';
import { type LineKey, PLAINTEXT_KEY, streamKey, XtsKey } from './line-crypto.ts';

export type KeyMode = 'random' | 'direct' | 'clear' | 'no-encrypt';

interface Slot {
  generation: number;
  key: LineKey | null;
}

const REMEMBERED_KEYS = 2048;
const remembered = new Map<string, XtsKey>();

/** Expanding a key is slow and many machines share a seed. */
function xtsKey(dataKey: Uint8Array, tweakKey: Uint8Array): XtsKey {
  const name = `${dataKey.join()}/${tweakKey.join()}`;
  const known = remembered.get(name);
  if (known) return known;
  if (remembered.size >= REMEMBERED_KEYS) remembered.clear();
  const key = new XtsKey(dataKey, tweakKey);
  remembered.set(name, key);
  return key;
}

export class KeyTable {
  readonly #config: CoreConfig;
  readonly #slots = new Map<string, Slot>();

  constructor(config: CoreConfig) {
    this.#config = config;
    this.powerOn();
  }

  /** No KeyID but 0 is programmed; generations go on, so that no random key ever comes back. */
  powerOn(): void {
    for (const slot of this.#slots.values()) slot.key = null;
    for (let pkg = 0; pkg < this.#config.packages; ++pkg) this.#slot(pkg, 0).key = this.#stream(pkg, 0, 0);
  }

  program(pkg: number, keyId: number, mode: KeyMode, bytes: Uint8Array): void {
    const slot = this.#slot(pkg, keyId);
    slot.generation += 1;
    slot.key = this.#make(pkg, keyId, slot.generation, mode, bytes);
  }

  isProgrammed(pkg: number, keyId: number): boolean {
    return this.#slot(pkg, keyId).key !== null;
  }

  generation(pkg: number, keyId: number): number {
    return this.#slot(pkg, keyId).generation;
  }

  /** The key that encrypts for this KeyID; an unprogrammed KeyID borrows KeyID 0's. */
  key(pkg: number, keyId: number): LineKey {
    return this.#slot(pkg, keyId).key ?? this.key(pkg, 0);
  }

  #make(pkg: number, keyId: number, generation: number, mode: KeyMode, bytes: Uint8Array): LineKey | null {
    const half = this.#config.aesBits / 8;
    if (mode === 'random') return this.#stream(pkg, keyId, generation);
    if (mode === 'direct') return xtsKey(bytes.slice(0, half), bytes.slice(half, 2 * half));
    return mode === 'no-encrypt' ? PLAINTEXT_KEY : null;
  }

  #stream(pkg: number, keyId: number, generation: number): XtsKey {
    const [dataKey, tweakKey] = streamKey(this.#config.seed, pkg, keyId, generation, this.#config.aesBits);
    return xtsKey(dataKey, tweakKey);
  }

  #slot(pkg: number, keyId: number): Slot {
    const name = `${pkg}:${keyId}`;
    let slot = this.#slots.get(name);
    if (!slot) {
      slot = { generation: 0, key: null };
      this.#slots.set(name, slot);
    }
    return slot;
  }
}
