/** S-EPT tables that map given GPAs, as bytes: the bench puts them into simulated memory, a peer into an array. */
import { GIB, PAGE } from '../harness/workload.ts';

const HPA_BASE = 512 * GIB;
const ENTRIES = 512;
const NON_LEAF = 0x7n;
/** R, W, X, write-back, ignore PAT, leaf. */
const LEAF = 0xf7n;

function indexAt(gpa: number, level: number): number {
  return Math.floor(gpa / 2 ** (12 + 9 * level)) % ENTRIES;
}

export class SeptTables {
  /** The root is the first table. */
  readonly base: number;
  readonly levels: number;
  readonly bytes: Uint8Array;
  /** A GPA that no entry maps. */
  readonly unmapped = 511 * 2 ** 39;

  private constructor(base: number, levels: number, entries: BigUint64Array) {
    this.base = base;
    this.levels = levels;
    this.bytes = new Uint8Array(entries.buffer, 0, entries.byteLength);
  }

  /** HPA of a mapped 4 KiB page: a permutation of the page numbers, so that a wrong entry shows. */
  hpaOf(gpa: number): number {
    return hpaOf(gpa);
  }

  static mapping(gpas: Float64Array, levels: number, base: number): SeptTables {
    const tables = new Map<string, number>([['', 0]]);
    const entries: [table: number, index: number, value: bigint][] = [];
    for (const gpa of gpas) {
      let [table, path] = [0, ''];
      for (let level = levels - 1; level > 0; level--) {
        const index = indexAt(gpa, level);
        path += `${index}/`;
        let next = tables.get(path);
        if (next === undefined) {
          next = tables.size;
          tables.set(path, next);
          entries.push([table, index, BigInt(base + next * PAGE) | NON_LEAF]);
        }
        table = next;
      }
      entries.push([table, indexAt(gpa, 0), BigInt(hpaOf(gpa)) | LEAF]);
    }
    const words = new BigUint64Array(tables.size * ENTRIES);
    for (const [table, index, value] of entries) words[table * ENTRIES + index] = value;
    return new SeptTables(base, levels, words);
  }
}

function hpaOf(gpa: number): number {
  return HPA_BASE + (((gpa / PAGE) * 5 + 3) % 2 ** 26) * PAGE;
}
