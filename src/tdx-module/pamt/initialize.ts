import type { LogicalProcessor, Range } from '../../platform/index.ts';
import { PAMT_ENTRY } from '../../spec/layouts.ts';
import { PT } from '../../spec/states.ts';
import { LEVEL_1G, LEVEL_2M, LEVEL_4K, LEVEL_BYTES, type PageLevel, pageIndex, type TdmrEntry } from './tdmr.ts';

const LINE = 64;
const ENTRIES_PER_CALL = 1024;

/** Memory that one TDH.SYS.TDMR.INIT covers: 1024 4 KiB entries. */
export const INIT_STEP = ENTRIES_PER_CALL * LEVEL_BYTES[LEVEL_4K];

const reservedEntry = new Uint8Array(PAMT_ENTRY.SIZE);
PAMT_ENTRY.PT.set(reservedEntry, PT.RSVD);

/**
 * Initialises the entries of the next {@link INIT_STEP} of a TDMR. Direct stores make the lines valid under the global KeyID
 * (a cached store would first read them, and fail its TD-bit check); 4 KiB entries are NDA, which is zeros, or RSVD.
 */
export const initializePamt = (lp: LogicalProcessor, keyId: number, tdmr: TdmrEntry): void => {
  const from = tdmr.initialized;
  for (const level of [LEVEL_1G, LEVEL_2M] as const) {
    for (let page = from; page < from + INIT_STEP && page % LEVEL_BYTES[level] === 0; page += LEVEL_BYTES[level])
      initializeLarge(lp, keyId, tdmr, page, level);
  }
  const first = entryAddress(tdmr, from, LEVEL_4K);
  lp.movdir64bFill(first, ENTRIES_PER_CALL * PAMT_ENTRY.SIZE, keyId);
  for (const area of tdmr.reserved) reserve(lp, keyId, tdmr, area, from);
  tdmr.initialized = from + INIT_STEP;
};

const entryAddress = (tdmr: TdmrEntry, page: number, level: PageLevel): number =>
  tdmr.pamt[level].base + pageIndex(tdmr, page, level) * PAMT_ENTRY.SIZE;

/** A 2M or 1G entry: its line when it is the first in it, then the entry itself, read back. */
const initializeLarge = (lp: LogicalProcessor, keyId: number, tdmr: TdmrEntry, page: number, level: PageLevel): void => {
  const at = entryAddress(tdmr, page, level);
  if (at % LINE === 0) lp.movdir64bFill(at, LINE, keyId);
  PAMT_ENTRY.PT.set(lp.load(at, PAMT_ENTRY.SIZE, keyId).u8, PT.NDA);
  lp.store(at, PAMT_ENTRY.SIZE, keyId);
};

const reserve = (lp: LogicalProcessor, keyId: number, tdmr: TdmrEntry, area: Range, from: number): void => {
  const start = Math.max(area.base, from);
  const pages = (Math.min(area.base + area.size, from + INIT_STEP) - start) / LEVEL_BYTES[LEVEL_4K];
  if (pages <= 0) return;
  const entries = new Uint8Array(pages * PAMT_ENTRY.SIZE);
  for (let page = 0; page < pages; page++) entries.set(reservedEntry, page * PAMT_ENTRY.SIZE);
  lp.storeBytes(entryAddress(tdmr, start, LEVEL_4K), entries, keyId);
};
