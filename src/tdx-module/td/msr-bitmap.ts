import { TDCS } from '../../spec/layouts.ts';
import { type MsrRange, type MsrRule, msrRanges } from '../../spec/msr.ts';
import { PAGE_4K } from '../operands.ts';
import type { Tdcs } from './tdcs.ts';

const HIGH_FIRST = 0xc000_0000;
const RANGE_MSRS = 0x2000;
/** Byte offsets of the four bitmaps (msr.json, bitmap.layout). */
const READ = { low: 0x000, high: 0x400 } as const;
const WRITE = { low: 0x800, high: 0xc00 } as const;

/** Native for every TD. Accesses that are native for some TDs keep their exit, and the module lets them through then. */
const isNative = ({ condition, whenTrue }: MsrRule): boolean => condition === undefined && whenTrue === 'native';

const clearBit = (bitmap: Uint8Array, at: typeof READ | typeof WRITE, msr: number): void => {
  const isHigh = msr >= HIGH_FIRST;
  const bit = isHigh ? msr - HIGH_FIRST : msr;
  if (bit >= RANGE_MSRS) return;
  bitmap[(isHigh ? at.high : at.low) + (bit >> 3)]! &= ~(1 << (bit & 7));
};

const clearNative = (bitmap: Uint8Array, range: MsrRange): void => {
  for (let msr = range.first; msr <= range.last; msr++) {
    if (isNative(range.read)) clearBit(bitmap, READ, msr);
    if (isNative(range.write)) clearBit(bitmap, WRITE, msr);
  }
};

/** The page was all ones when it was added; accesses that the guest makes natively do not exit. */
export const initMsrBitmaps = (tdcs: Tdcs): void => {
  const bitmap = new Uint8Array(PAGE_4K).fill(0xff);
  for (const range of msrRanges()) clearNative(bitmap, range);
  tdcs.lp.storeBytes(tdcs.at(TDCS.MSR_BITMAPS.offset), bitmap, tdcs.keyId);
};
