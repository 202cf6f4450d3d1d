import type { Thread } from '../../linux/index.ts';
import { allocPage, freePage } from '../pages.ts';

/** Bits of an Intel EPT entry (SDM volume 3, "EPT paging structures"). */
export const EPT = {
  READ: 1n << 0n,
  WRITE: 1n << 1n,
  EXECUTE: 1n << 2n,
  WRITE_BACK: 6n << 3n,
  ACCESSED: 1n << 8n,
  DIRTY: 1n << 9n,
  SUPPRESS_VE: 1n << 63n,
  /** Physical address, bits 51:12. */
  ADDRESS: 0xf_ffff_ffff_f000n,
} as const;

export const RWX = EPT.READ | EPT.WRITE | EPT.EXECUTE;
const TABLE = RWX | EPT.ACCESSED;
const LEAF = RWX | EPT.WRITE_BACK | EPT.ACCESSED | EPT.DIRTY;

/** An empty entry. Suppress-#VE is set: a touch goes to KVM, not to the guest. */
export const NONPRESENT = EPT.SUPPRESS_VE;
/** Somebody is changing the entry outside the lock; a value that no other entry can have. */
export const FROZEN = EPT.SUPPRESS_VE | 0x5a0n;

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
const ENTRIES = 512;

export const isPresent = (entry: bigint): boolean => (entry & RWX) !== 0n;
export const addressOf = (entry: bigint): number => Number(entry & EPT.ADDRESS);
export const leafEntry = (pa: number): bigint => BigInt(pa) | LEAF;
export const tableEntry = (pa: number): bigint => BigInt(pa) | TABLE;
/** An entry of MMIO: no access and suppress-#VE clear, so that the CPU gives the guest a #VE without an exit. The address bits are software's. */
export const mmioEntry = (gfn: number): bigint => BigInt(gfn) << BigInt(PAGE_SHIFT);

/** Bytes of guest-physical address that one entry of a level maps; level 1 is 4 KiB, as Linux counts. */
export const levelSize = (level: number): number => PAGE_SIZE * ENTRIES ** (level - 1);

/** Linux's levels start at 1, the TDX module's at 0. */
export const septLevel = (level: number): number => level - 1;

/**
 * A page table of Intel EPT format in host memory under KeyID 0: the shared EPT that the CPU walks, and the mirror of the S-EPT.
 * Every access goes through the calling CPU's caches.
 */
export class PageTable {
  readonly root: number;
  readonly levels: number;

  constructor(root: number, levels: number) {
    this.root = root;
    this.levels = levels;
  }

  /** First GPA that the table cannot map: Linux clips ranges to it (tdp_mmu_max_gfn_exclusive). */
  get reach(): number {
    return levelSize(this.levels + 1);
  }

  /** Physical address of the entry for a GPA in the table at `table`, which is a table of `level`. */
  entryAt(table: number, gpa: number, level: number): number {
    return table + (Math.floor(gpa / levelSize(level)) % ENTRIES) * 8;
  }

  /** Address of the 4 KiB entry for a GPA, or -1 when a table on the way is missing. */
  find(current: Thread, gpa: number): number {
    if (gpa >= this.reach) return -1;
    let table = this.root;
    for (let level = this.levels; level > 1; level--) {
      const entry = current.cpu.lp.load64(this.entryAt(table, gpa, level));
      if (!isPresent(entry)) return -1;
      table = addressOf(entry);
    }
    return this.entryAt(table, gpa, 1);
  }

  /** Visits every 4 KiB entry of [start, end) that lies in a table that exists; absent subtrees are skipped whole. */
  *leaves(
    current: Thread,
    start: number,
    end: number,
    table = this.root,
    level = this.levels,
  ): Generator<{ gpa: number; at: number; entry: bigint }> {
    const size = levelSize(level);
    const span = size * ENTRIES;
    const base = Math.floor(start / span) * span;
    const last = Math.min(end, base + span, this.reach);
    for (let gpa = Math.floor(start / size) * size; gpa < last; gpa += size) {
      const at = this.entryAt(table, gpa, level);
      const entry = current.cpu.lp.load64(at);
      if (level === 1) yield { gpa, at, entry };
      else if (isPresent(entry))
        yield* this.leaves(current, Math.max(start, gpa), Math.min(end, gpa + size), addressOf(entry), level - 1);
    }
  }

  /** Addresses of all tables below and including `table`, children before parents. */
  tables(current: Thread, table = this.root, level = this.levels): number[] {
    const children: number[] = [];
    for (let at = table; level > 1 && at < table + PAGE_SIZE; at += 8) {
      const entry = current.cpu.lp.load64(at);
      if (isPresent(entry)) children.push(...this.tables(current, addressOf(entry), level - 1));
    }
    return [...children, table];
  }
}

const EMPTY_TABLE = new Uint8Array(new BigUint64Array(ENTRIES).fill(NONPRESENT).buffer);

/** A new table with every entry empty, or -ENOMEM. */
export function allocTable(current: Thread, owner: string): number {
  const table = allocPage(current, owner);
  if (table > 0) current.cpu.lp.storeBytes(table, EMPTY_TABLE);
  return table;
}

export const freeTable = (current: Thread, table: number): void => freePage(current, table);
