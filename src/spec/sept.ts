import { SEPT, SEPT_STATE_BY_CODE } from './sept-tables.ts';

export * from './sept-tables.ts';

/** The 7-bit state code of an L1 entry: D, TDEX, TDBW, TDB, TDP, IPAT, LEAF. */
export const septStateCode = (entry: bigint): number =>
  Number(((entry >> 9n) & 0x1n) | (((entry >> 53n) & 0xfn) << 1n) | (((entry >> 6n) & 0x3n) << 5n));

/** State index of an L1 entry ({@link SEPT_STATE}), or -1 where the bits make no state. */
export const septState = (entry: bigint): number => SEPT_STATE_BY_CODE[septStateCode(entry)]!;

/** The entry with the bits of another state's code; every other bit stays. */
export function withSeptState(entry: bigint, code: number): bigint {
  const c = BigInt(code);
  const cleared = entry & ~(SEPT.D | SEPT.TDEX | SEPT.TDBW | SEPT.TDB | SEPT.TDP | SEPT.IPAT | SEPT.LEAF);
  return cleared | ((c & 0x1n) << 9n) | (((c >> 1n) & 0xfn) << 53n) | (((c >> 5n) & 0x3n) << 6n);
}

/** Is the state in the set (one bit a state index)? */
export const inStates = (set: number, state: number): boolean => state >= 0 && ((set >> state) & 1) === 1;
