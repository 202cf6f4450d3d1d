import type { Range } from '../../platform/index.ts';
import { GlobalSharex } from '../lock/sharex.ts';

/** 0 = 4 KiB, 1 = 2 MiB, 2 = 1 GiB: the level numbers of outputs and errors. */
export type PageLevel = 0 | 1 | 2;
export const LEVEL_4K = 0;
export const LEVEL_2M = 1;
export const LEVEL_1G = 2;

const LEVEL_SHIFTS = [12, 21, 30] as const;
/** Bytes of a page at each level. */
export const LEVEL_BYTES = [2 ** 12, 2 ** 21, 2 ** 30] as const;
/** 4 KiB pages in a page at each level. */
export const LEVEL_4K_PAGES = [1, 512, 512 * 512] as const;

/** A trust domain memory region as TDH.SYS.CONFIG accepted it (the module's copy, in SEAM). */
export interface TdmrEntry extends Range {
  /** PAMT range of each level. */
  readonly pamt: readonly [Range, Range, Range];
  /** Absolute addresses, ascending. */
  readonly reserved: readonly Range[];
  /** Addresses below have an initialised PAMT. */
  initialized: number;
  /** Mutex of TDH.SYS.TDMR.INIT. */
  readonly lock: GlobalSharex;
}

export const tdmrEntry = (range: Range, pamt: TdmrEntry['pamt'], reserved: readonly Range[]): TdmrEntry => ({
  base: range.base,
  size: range.size,
  pamt,
  reserved,
  initialized: range.base,
  lock: new GlobalSharex(),
});

/** Index of a page inside its TDMR. */
export const pageIndex = (tdmr: TdmrEntry, pa: number, level: PageLevel): number =>
  Math.floor((pa - tdmr.base) / 2 ** LEVEL_SHIFTS[level]);

/** The TDMR whose PAMT describes the page, if that part of the PAMT is initialised. */
export const findTdmr = (tdmrs: readonly TdmrEntry[], pa: number): TdmrEntry | undefined =>
  tdmrs.find((tdmr) => pa >= tdmr.base && pa < tdmr.initialized);
