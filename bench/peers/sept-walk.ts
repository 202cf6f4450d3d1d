/**
 * The same page walk in plain TypeScript, for comparison: one logical processor with a TLB and paging-structure caches that stay
 * stale until INVEPT, walking 4-level tables that lie in a `Uint32Array`. Written as one would for an emulator that wants to be
 * fast: no `bigint`, an entry is taken apart once, when it is read; what is cached are plain numbers in a `Map` for each leaf size and
 * level, keyed by the part of the address that the entry translates. A line's owner and poison are one number, compared at each read.
 */

export const MAPPED = 0;
export const VIOLATION = 1;
export const MISCONFIGURATION = 2;
export const POISON = 3;

const READ = 1;
const WRITE = 2;
const PRESENT = 7;
const LEAF = 0x80;
/** Memory types 2, 3 and 7, a bit each. */
const RESERVED_TYPES = 0x8c;
const PAGE = 4096;
/** Bytes that one entry of a level translates. */
const SPAN = [2 ** 12, 2 ** 21, 2 ** 30, 2 ** 39];
const GUEST_LIMIT = 2 ** 48;
const LEVELS = 4;
const LAST_LEAF_LEVEL = 2;
const ENTRIES = 512;
const HIGH = 2 ** 32;

/** What a cached entry says: the table or page it points to, and what it and everything on the way allow. */
interface Cached {
  readonly page: number;
  readonly rights: number;
}

/** Tables from physical address 0 on. */
export interface TableMemory {
  /** The low and the high word of each entry. */
  readonly words: Uint32Array;
  /** Of each 64-byte line: KeyID, TD bit and poison as the tables' owner wrote them. */
  readonly tags: Uint32Array;
}

export class SeptWalker {
  /** HPA of the 4 KiB page after a walk that was mapped. */
  hpa = 0;
  /** Level at which the last walk ended. */
  level = 0;
  readonly #words: Uint32Array;
  readonly #tags: Uint32Array;
  readonly #tag: number;
  readonly #root: Cached;
  readonly #addressLimit: number;
  readonly #leaves: Map<number, Cached>[] = Array.from({ length: LAST_LEAF_LEVEL + 1 }, () => new Map());
  readonly #tables: Map<number, Cached>[] = Array.from({ length: LEVELS }, () => new Map());

  /** Lines must have `tag`; `addressBits` bounds what an entry may point to. */
  constructor({ words, tags }: TableMemory, tag: number, rootPa: number, addressBits: number) {
    this.#words = words;
    this.#tags = tags;
    this.#tag = tag;
    this.#root = { page: rootPa, rights: READ | WRITE };
    this.#addressLimit = 2 ** addressBits;
  }

  invept(): void {
    for (const map of this.#leaves) map.clear();
    for (const map of this.#tables) map.clear();
  }

  /** A walk for every GPA, as far as they are mapped; returns how many were. */
  walkMany(gpas: Float64Array, write: boolean, hpas: Float64Array): number {
    for (let i = 0; i < gpas.length; i++) {
      if (this.walk(gpas[i]!, write) !== MAPPED) return i;
      hpas[i] = this.hpa;
    }
    return gpas.length;
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
    for (let level = 0; level < LEVELS; level++) {
      const prefix = Math.floor(gpa / SPAN[level]!);
      const leaf = this.#leaves[level]?.get(prefix);
      if (leaf) return this.#finish(leaf, level, gpa, write);
      const table = this.#tables[level]!.get(prefix);
      if (table) return this.#descend(table, level - 1, gpa, write);
    }
    this.level = LEVELS - 1;
    return gpa < GUEST_LIMIT ? this.#descend(this.#root, LEVELS - 1, gpa, write) : VIOLATION;
  }

  #descend(start: Cached, first: number, gpa: number, write: boolean): number {
    let table = start;
    for (let level = first; ; level--) {
      this.level = level;
      const prefix = Math.floor(gpa / SPAN[level]!);
      const at = table.page / 4 + (prefix % ENTRIES) * 2;
      if (this.#tags[Math.floor(at / 16)] !== this.#tag) return POISON;
      const low = this.#words[at]!;
      if ((low & PRESENT) === 0) return VIOLATION;
      const isLeaf = level === 0 || (level <= LAST_LEAF_LEVEL && (low & LEAF) !== 0);
      const page = (this.#words[at + 1]! & 0xfffff) * HIGH + ((low & 0xfffff000) >>> 0);
      if (this.#isMisconfigured(low, page, level, isLeaf)) return MISCONFIGURATION;
      const cached = { page, rights: table.rights & low };
      (isLeaf ? this.#leaves : this.#tables)[level]!.set(prefix, cached);
      if (isLeaf) return this.#finish(cached, level, gpa, write);
      table = cached;
    }
  }

  #isMisconfigured(low: number, page: number, level: number, isLeaf: boolean): boolean {
    if ((low & (READ | WRITE)) === WRITE || page >= this.#addressLimit) return true;
    if (isLeaf) return ((RESERVED_TYPES >> ((low >> 3) & 7)) & 1) !== 0 || page % SPAN[level]! !== 0;
    return (low & (level > LAST_LEAF_LEVEL ? 0xf8 : 0x78)) !== 0;
  }

  #finish({ page, rights }: Cached, level: number, gpa: number, write: boolean): number {
    this.level = level;
    const wanted = write ? READ | WRITE : READ;
    if ((rights & wanted) !== wanted) return VIOLATION;
    const inside = gpa % SPAN[level]!;
    this.hpa = page + inside - (inside % PAGE);
    return MAPPED;
  }
}
