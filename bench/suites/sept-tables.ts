/** Four-level S-EPT tables that map given GPAs, as bytes: the bench puts them into simulated memory, a peer into an array. */
import { GIB, PAGE } from '../harness/workload.ts';

const TABLE_BASE = 4 * GIB;
const HPA_BASE = 512 * GIB;
const ENTRIES = 512;
const TOP = 3;
const NON_LEAF = 0x7n;
/** R, W, X, write-back, ignore PAT, leaf. */
const LEAF = 0xf7n;

function indexAt(gpa: number, level: number): number {
  return Math.floor(gpa / 2 ** (12 + 9 * level)) % ENTRIES;
}

export class SeptTables {
  readonly base = TABLE_BASE;
  readonly root = TABLE_BASE;
  readonly bytes: Uint8Array;
  /** A GPA that no entry maps. */
  readonly unmapped: number;

  private constructor(entries: BigUint64Array, unmapped: number) {
    this.bytes = new Uint8Array(entries.buffer, 0, entries.byteLength);
    this.unmapped = unmapped;
  }

  /** HPA of a mapped 4 KiB page: a permutation of the page numbers, so that a wrong entry shows. */
  hpaOf(gpa: number): number {
    return hpaOf(gpa);
  }

  static mapping(gpas: Float64Array): SeptTables {
    const tables = new Map<string, number>([['', 0]]);
    const entries: [table: number, index: number, value: bigint][] = [];
    for (const gpa of gpas) {
      let [table, path] = [0, ''];
      for (let level = TOP; level > 0; level--) {
        const index = indexAt(gpa, level);
        path += `${index}/`;
        let next = tables.get(path);
        if (next === undefined) {
          next = tables.size;
          tables.set(path, next);
          entries.push([table, index, BigInt(TABLE_BASE + next * PAGE) | NON_LEAF]);
        }
        table = next;
      }
      entries.push([table, indexAt(gpa, 0), BigInt(hpaOf(gpa)) | LEAF]);
    }
    const words = new BigUint64Array(tables.size * ENTRIES);
    for (const [table, index, value] of entries) words[table * ENTRIES + index] = value;
    return new SeptTables(words, 511 * 2 ** 39);
  }
}

function hpaOf(gpa: number): number {
  return HPA_BASE + (((gpa / PAGE) * 5 + 3) % 2 ** 26) * PAGE;
}
