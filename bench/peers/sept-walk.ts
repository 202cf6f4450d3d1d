/**
 * The same page walk in plain TypeScript, for comparison: one logical processor with a TLB and paging-structure caches that stay
 * stale until INVEPT, walking 4-level tables that lie in a `BigUint64Array`. Written as one would for an emulator that wants to be
 * fast: an entry is taken apart once, when it is read; what is cached are plain numbers in a `Map` for each leaf size and level,
 * keyed by the part of the address that the entry translates. No TD bit, MAC or poison: the tables are plain memory.
 */

export const MAPPED = 0;
export const VIOLATION = 1;
export const MISCONFIGURATION = 2;

const READ = 1;
const WRITE = 2;
const LEAF = 0x80;
const PAGE = 4096;
/** Bytes that one entry of a level translates. */
const SPAN = [2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39];
const LEVELS = 4;
const LAST_LEAF_LEVEL = 2;
const ENTRIES = 512;
const LOW_BITS = 2 ** 12;
const ADDRESS_LIMIT = 2 ** 52;

/** What a cached entry says: the table or page it points to, and whether everything on the way may be written. */
interface Cached {
  readonly page: number;
  readonly writable: boolean;
}

export class SeptWalker {
  /** HPA of the 4 KiB page after a walk that was mapped. */
  hpa = 0;
  /** Level at which the last walk ended. */
  level = 0;
  readonly #memory: BigUint64Array;
  readonly #root: Cached;
  readonly #addressLimit: number;
  readonly #leaves: Map<number, Cached>[] = Array.from({ length: LAST_LEAF_LEVEL + 1 }, () => new Map());
  readonly #tables: Map<number, Cached>[] = Array.from({ length: LEVELS }, () => new Map());

  /** `memory` holds physical addresses from 0 on; `addressBits` bounds what an entry may point to. */
  constructor(memory: BigUint64Array, rootPa: number, addressBits: number) {
    this.#memory = memory;
    this.#root = { page: rootPa, writable: true };
    this.#addressLimit = Math.min(2 ** addressBits, ADDRESS_LIMIT);
  }

  invept(): void {
    for (const map of this.#leaves) map.clear();
    for (const map of this.#tables) map.clear();
  }

  walk(gpa: number, write: boolean): number {
    const status = this.#translate(gpa, write);
    if (status === VIOLATION) this.#dropPath(gpa);
    return status;
  }

  /** A violation invalidates what would be used to translate the address. */
  #dropPath(gpa: number): void {
    for (let level = 0; level < LEVELS; level++) {
      const prefix = Math.floor(gpa / SPAN[level]!);
      this.#leaves[level]?.delete(prefix);
      this.#tables[level]!.delete(prefix);
    }
  }

  #translate(gpa: number, write: boolean): number {
    for (let level = 0; level <= LAST_LEAF_LEVEL; level++) {
      const leaf = this.#leaves[level]!.get(Math.floor(gpa / SPAN[level]!));
      if (leaf) return this.#finish(leaf, level, gpa, write);
    }
    for (let level = 1; level < LEVELS; level++) {
      const table = this.#tables[level]!.get(Math.floor(gpa / SPAN[level]!));
      if (table) return this.#descend(table, level - 1, gpa, write);
    }
    return this.#descend(this.#root, LEVELS - 1, gpa, write);
  }

  #descend(start: Cached, first: number, gpa: number, write: boolean): number {
    let table = start;
    for (let level = first; ; level--) {
      this.level = level;
      const prefix = Math.floor(gpa / SPAN[level]!);
      const entry = this.#memory[table.page / 8 + (prefix % ENTRIES)]!;
      const flags = Number(entry & 0xfffn);
      if ((flags & READ) === 0) return flags & WRITE ? MISCONFIGURATION : VIOLATION;
      const isLeaf = level === 0 || (flags & LEAF) !== 0;
      const page = Number((entry >> 12n) & 0xffffffffffn) * LOW_BITS;
      if (page >= this.#addressLimit || (isLeaf && level > LAST_LEAF_LEVEL)) return MISCONFIGURATION;
      const cached = { page, writable: table.writable && (flags & WRITE) !== 0 };
      (isLeaf ? this.#leaves : this.#tables)[level]!.set(prefix, cached);
      if (isLeaf) return this.#finish(cached, level, gpa, write);
      table = cached;
    }
  }

  #finish({ page, writable }: Cached, level: number, gpa: number, write: boolean): number {
    this.level = level;
    if (write && !writable) return VIOLATION;
    const span = SPAN[level]!;
    const inside = gpa % span;
    this.hpa = page - (page % span) + inside - (inside % PAGE);
    return MAPPED;
  }
}
