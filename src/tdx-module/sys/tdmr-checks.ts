import { contains, endOf, overlaps, type Range } from '../../platform/index.ts';
import { LIMIT, PAMT_ENTRY } from '../../spec/layouts.ts';
import {
  TDX_INVALID_PAMT,
  TDX_INVALID_RESERVED_IN_TDMR,
  TDX_INVALID_TDMR,
  TDX_NON_ORDERED_RESERVED_IN_TDMR,
  TDX_NON_ORDERED_TDMR,
  TDX_PAMT_OUTSIDE_CMRS,
  TDX_PAMT_OVERLAP,
  TDX_TDMR_OUTSIDE_CMRS,
} from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { isPageAddress, PAGE_4K } from '../operands.ts';
import { LEVEL_1G, LEVEL_2M, LEVEL_4K, LEVEL_BYTES, type PageLevel } from '../pamt/tdmr.ts';
import { ensure } from '../status.ts';
import { type CheckedTdmr, type RawRange, type RawTdmr, toCheckedTdmr, usableParts } from './tdmr-info.ts';

const LIMIT_64 = 1n << 64n;
const ALIGNMENT_4K = BigInt(PAGE_4K);
const ALIGNMENT_1G = BigInt(LIMIT.TDMR_ALIGNMENT);
const UP: readonly PageLevel[] = [LEVEL_4K, LEVEL_2M, LEVEL_1G];
const DOWN: readonly PageLevel[] = [LEVEL_1G, LEVEL_2M, LEVEL_4K];

/** Details of TDMR statuses: byte 0 the TDMR, byte 1 level or reserved area, byte 2 the other TDMR. */
const detailed = (status: bigint, tdmr: number, byte1 = 0, byte2 = 0): bigint =>
  status | BigInt(tdmr | (byte1 << 8) | (byte2 << 16));

const wraps = ({ base, size }: RawRange): boolean => base + size >= LIMIT_64;
const isAligned = (value: bigint, alignment: bigint): boolean => value % alignment === 0n;

/** Base, and the page of the last byte, are addresses without KeyID bits. */
const isInPhysicalSpace = (ctx: LeafContext, { base, size }: RawRange): boolean =>
  isPageAddress(ctx, base) && isPageAddress(ctx, (base + size - 1n) & ~(ALIGNMENT_4K - 1n));

/** What has been accepted of the TDMRs before, and the memory that may be in TDMRs and PAMTs. */
export interface TdmrSurroundings {
  readonly accepted: readonly CheckedTdmr[];
  /** CMRs, adjacent ones merged. */
  readonly memory: readonly Range[];
}

/** Adjacent CMRs count as one. */
export const mergeCmrs = (cmrs: readonly Range[]): Range[] => {
  const merged: Range[] = [];
  for (const cmr of cmrs) {
    const last = merged.at(-1);
    if (last && endOf(last) === cmr.base) merged[merged.length - 1] = { base: last.base, size: last.size + cmr.size };
    else merged.push(cmr);
  }
  return merged;
};

/** TDH.SYS.CONFIG step 8, b to j, of TDMR `i` (leaf-checks.md §1). */
export const checkTdmr = (ctx: LeafContext, raw: RawTdmr, i: number, { accepted, memory }: TdmrSurroundings): CheckedTdmr => {
  checkRange(ctx, raw, i, accepted);
  checkReserved(raw, i);
  checkPamtRanges(ctx, raw, i);
  const tdmr = toCheckedTdmr(raw);
  checkPamtsAgainstPamts(tdmr, i, accepted);
  checkPamtsAgainstTdmrs(tdmr, i, accepted);
  for (const level of DOWN) ensure(isInside(tdmr.pamt[level], memory), detailed(TDX_PAMT_OUTSIDE_CMRS, i, level));
  ensure(
    usableParts(tdmr).every((part) => isInside(part, memory)),
    detailed(TDX_TDMR_OUTSIDE_CMRS, i),
  );
  return tdmr;
};

const isInside = (range: Range, memory: readonly Range[]): boolean => memory.some((cmr) => contains(cmr, range.base, range.size));

const checkRange = (ctx: LeafContext, raw: RawTdmr, i: number, accepted: readonly CheckedTdmr[]): void => {
  ensure(!wraps(raw), detailed(TDX_INVALID_TDMR, i));
  const previous = accepted.at(-1);
  if (previous) {
    ensure(raw.base >= BigInt(previous.base), detailed(TDX_NON_ORDERED_TDMR, i));
    ensure(raw.base >= BigInt(endOf(previous)), detailed(TDX_NON_ORDERED_TDMR, i));
  }
  ensure(isAligned(raw.base, ALIGNMENT_1G) && isAligned(raw.size, ALIGNMENT_1G) && raw.size > 0n, detailed(TDX_INVALID_TDMR, i));
  ensure(isInPhysicalSpace(ctx, raw), detailed(TDX_INVALID_TDMR, i));
};

const checkReserved = (raw: RawTdmr, i: number): void => {
  let sawNull = false;
  let previous: RawRange = { base: 0n, size: 0n };
  raw.reserved.forEach((area, j) => {
    if (area.size === 0n) {
      sawNull = true;
      return;
    }
    const unordered = detailed(TDX_NON_ORDERED_RESERVED_IN_TDMR, i, j);
    const invalid = detailed(TDX_INVALID_RESERVED_IN_TDMR, i, j);
    ensure(!sawNull, unordered);
    ensure(!wraps(area), invalid);
    ensure(area.base >= previous.base, unordered);
    ensure(area.base >= previous.base + previous.size, unordered);
    ensure(isAligned(area.base, ALIGNMENT_4K) && isAligned(area.size, ALIGNMENT_4K), invalid);
    ensure(!wraps({ base: raw.base + area.base, size: area.size }), invalid);
    ensure(area.base + area.size <= raw.size, invalid);
    previous = area;
  });
};

const checkPamtRanges = (ctx: LeafContext, raw: RawTdmr, i: number): void => {
  for (const level of DOWN) {
    const pamt = raw.pamt[level];
    const invalid = detailed(TDX_INVALID_PAMT, i, level);
    ensure(!wraps(pamt), invalid);
    ensure(isAligned(pamt.base, ALIGNMENT_4K) && isAligned(pamt.size, ALIGNMENT_4K), invalid);
    ensure(isInPhysicalSpace(ctx, pamt), invalid);
    ensure(pamt.size >= (raw.size / BigInt(LEVEL_BYTES[level])) * BigInt(PAMT_ENTRY.SIZE), invalid);
  }
};

/** Pairs of the TDMR's own PAMTs, in the module's order. */
const OWN_PAIRS: readonly (readonly [PageLevel, PageLevel])[] = [
  [LEVEL_4K, LEVEL_2M],
  [LEVEL_4K, LEVEL_1G],
  [LEVEL_2M, LEVEL_1G],
];

const checkPamtsAgainstPamts = (tdmr: CheckedTdmr, i: number, accepted: readonly CheckedTdmr[]): void => {
  accepted.forEach((other, j) => {
    for (const level of UP)
      ensure(!other.pamt.some((range) => overlaps(tdmr.pamt[level], range)), detailed(TDX_PAMT_OVERLAP, i, level, j));
  });
  for (const [a, b] of OWN_PAIRS) ensure(!overlaps(tdmr.pamt[a], tdmr.pamt[b]), detailed(TDX_PAMT_OVERLAP, i, a, i));
};

const isInUsablePart = (pamt: Range, tdmr: CheckedTdmr): boolean => usableParts(tdmr).some((part) => overlaps(pamt, part));

const checkPamtsAgainstTdmrs = (tdmr: CheckedTdmr, i: number, accepted: readonly CheckedTdmr[]): void => {
  [...accepted, tdmr].forEach((other, j) => {
    for (const level of UP) ensure(!isInUsablePart(tdmr.pamt[level], other), detailed(TDX_PAMT_OVERLAP, i, level, j));
    if (j === i) return;
    for (const level of UP) ensure(!isInUsablePart(other.pamt[level], tdmr), detailed(TDX_PAMT_OVERLAP, j, level, i));
  });
};
