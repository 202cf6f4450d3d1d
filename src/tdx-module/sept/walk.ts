import type { LogicalProcessor } from '../../platform/index.ts';
import { SEPT } from '../../spec/sept.ts';
import { hpaOf, isLeaf, isPresent } from './entry.ts';

/** Where a TD's S-EPT starts, from its TDCS. */
export interface SeptRoot {
  /** Root page: TDCX page 3. */
  readonly pa: number;
  readonly keyId: number;
  /** Level of the entries in the root page: 3 or 4. */
  readonly level: number;
}

/** An entry that a walk has reached. */
export interface SeptPosition {
  /** Address of the entry in simulated memory. */
  readonly pa: number;
  readonly keyId: number;
  readonly level: number;
  /** The entry as it was read, without its lock bits. */
  readonly entry: bigint;
}

const LOCK_BITS = SEPT.TDEL | SEPT.TDHP;
const indexAt = (gpa: number, level: number): number => Math.floor(gpa / 2 ** (12 + 9 * level)) % 512;

/** Walks from the root to the entry at `level`, or to the first one that leads no further: absent, blocked or a leaf. */
export function walk(lp: LogicalProcessor, root: SeptRoot, gpa: number, level: number): SeptPosition {
  let table = root.pa;
  for (let at = root.level; ; at--) {
    const pa = table + indexAt(gpa, at) * 8;
    const entry = lp.load64(pa, root.keyId) & ~LOCK_BITS;
    if (at <= level || !isPresent(entry) || isLeaf(entry)) return { pa, keyId: root.keyId, level: at, entry };
    table = hpaOf({ entry, level: at });
  }
}

/** Reads a position's entry again, without lock bits: after its lock was taken. */
export const reread = (lp: LogicalProcessor, at: SeptPosition): SeptPosition => ({
  ...at,
  entry: lp.load64(at.pa, at.keyId) & ~LOCK_BITS,
});

/** Writes a new value into a position that this leaf has locked; its lock bits stay as they are. */
export const writeEntry = (lp: LogicalProcessor, at: SeptPosition, entry: bigint): void =>
  lp.store64(at.pa, entry | (lp.load64(at.pa, at.keyId) & LOCK_BITS), at.keyId);
