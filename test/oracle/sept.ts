/** Page walks of one logical processor; its TLB and paging-structure caches stay stale until INVEPT (DESIGN.md §3). */

export type WalkStatus = 0 | 1 | 2 | 3;
const MAPPED: WalkStatus = 0;
const VIOLATION: WalkStatus = 1;
const MISCONFIGURED: WalkStatus = 2;
const POISONED: WalkStatus = 3;

export interface Root {
  readonly rootPa: number;
  readonly keyId: number;
  readonly levels: number;
}

interface Cached {
  readonly entry: bigint;
  /** READ and WRITE, as far as the entry and all above it allow them. */
  readonly rights: bigint;
}

export interface WalkResult {
  status: WalkStatus;
  hpa: number;
  entry: bigint;
  level: number;
}

/** Reads a 64-bit entry through the walking package's cache; null when it met poison. */
export type ReadEntry = (pa: number, keyId: number) => bigint | null;

const READ = 1n;
const WRITE = 2n;
const PRESENT = 7n;
const LEAF = 1n << 7n;
const ADDRESS = ((1n << 52n) - 1n) & ~0xfffn;
const MEMORY_TYPES = [0n, 1n, 4n, 5n, 6n];

const levelShift = (level: number): bigint => BigInt(12 + 9 * level);

function isLeaf(entry: bigint, level: number): boolean {
  return level === 0 || (level <= 2 && (entry & LEAF) !== 0n);
}

export class Walker {
  readonly #addressBits: number;
  readonly #roots: (Root | undefined)[] = [];
  /** By root, level and address: the entry as it was when it was read, and what it and all above it allow. */
  readonly #entries = new Map<string, Cached>();

  constructor(addressBits: number) {
    this.#addressBits = addressBits;
  }

  setRoot(slot: number, root: Root): void {
    this.#roots[slot] = root;
  }

  /** INVEPT, all contexts, and a reset: the roots are the VMM's to set. */
  invalidate(): void {
    this.#entries.clear();
  }

  walk(slot: number, gpa: number, write: boolean, read: ReadEntry): WalkResult {
    const root = this.#roots[slot];
    if (!root) return { status: VIOLATION, hpa: 0, entry: 0n, level: 0 };
    const address = BigInt(gpa);
    const top = root.levels - 1;
    if (address >> levelShift(root.levels) !== 0n) return { status: VIOLATION, hpa: 0, entry: 0n, level: top };
    const result = this.#translate(root, address, write, read);
    if (result.status === VIOLATION) this.#dropPath(root, address);
    return result;
  }

  #translate(root: Root, address: bigint, write: boolean, read: ReadEntry): WalkResult {
    // The deepest cached entry on the path answers for all entries above it.
    const start = this.#deepestCached(root, address);
    let table = root.rootPa;
    let rights = READ | WRITE;
    const wanted = write ? READ | WRITE : READ;
    for (let level = start < 0 ? root.levels - 1 : start; ; --level) {
      const name = this.#name(root, level, address);
      const pa = table + Number((address >> levelShift(level)) & 0x1ffn) * 8;
      const known = this.#entries.get(name);
      const entry = known ? known.entry : read(pa, root.keyId);
      if (entry === null) return { status: POISONED, hpa: 0, entry: 0n, level };
      if ((entry & PRESENT) === 0n) return { status: VIOLATION, hpa: 0, entry, level };
      if (this.#isMisconfigured(entry, level)) return { status: MISCONFIGURED, hpa: 0, entry, level };
      rights = known ? known.rights : rights & entry;
      this.#entries.set(name, { entry, rights });
      table = Number(entry & ADDRESS);
      if (!isLeaf(entry, level)) continue;
      if ((rights & wanted) !== wanted) return { status: VIOLATION, hpa: 0, entry, level };
      const offset = address & ((1n << levelShift(level)) - 1n) & ~0xfffn;
      return { status: MAPPED, hpa: Number((entry & ADDRESS) | offset), entry, level };
    }
  }

  /** SDM vol. 3, invalidation of cached mappings: an EPT violation invalidates those that would be used to translate the address. */
  #dropPath(root: Root, address: bigint): void {
    for (let level = 0; level < root.levels; ++level) this.#entries.delete(this.#name(root, level, address));
  }

  /** SDM vol. 3, EPT misconfigurations. */
  #isMisconfigured(entry: bigint, level: number): boolean {
    if ((entry & (READ | WRITE)) === WRITE) return true;
    if ((entry & ADDRESS) >> BigInt(this.#addressBits) !== 0n) return true;
    if (isLeaf(entry, level)) {
      const offset = ((1n << levelShift(level)) - 1n) & ADDRESS;
      return !MEMORY_TYPES.includes((entry >> 3n) & 7n) || (entry & offset) !== 0n;
    }
    return (entry & (level >= 3 ? 0xf8n : 0x78n)) !== 0n;
  }

  #deepestCached(root: Root, address: bigint): number {
    for (let level = 0; level < root.levels; ++level) if (this.#entries.has(this.#name(root, level, address))) return level;
    return -1;
  }

  #name({ rootPa, keyId, levels }: Root, level: number, address: bigint): string {
    return `${rootPa}:${keyId}:${levels}:${level}:${address >> levelShift(level)}`;
  }
}
