import { endOf, type Range } from '../../platform/index.ts';
import { LIMIT, RESERVED_AREA, TDMR_INFO } from '../../spec/layouts.ts';
import type { LeafContext } from '../context.ts';
import { type KeyedAddress, sharedAddress } from '../operands.ts';
import { LEVEL_1G, LEVEL_2M, LEVEL_4K, type PageLevel } from '../pamt/tdmr.ts';

/** A range as the host wrote it: it may wrap. */
export interface RawRange {
  readonly base: bigint;
  readonly size: bigint;
}

/** TDMR_INFO as the host wrote it; reserved areas are offsets. */
export interface RawTdmr extends RawRange {
  readonly pamt: Readonly<Record<PageLevel, RawRange>>;
  readonly reserved: readonly RawRange[];
}

/** A TDMR_INFO that passed the checks of its own; everything in plain numbers, reserved areas absolute. */
export interface CheckedTdmr extends Range {
  readonly pamt: readonly [Range, Range, Range];
  readonly reserved: readonly Range[];
}

/** Array entry `index`, then one copy of the TDMR_INFO it points to: the host cannot change it under the checks. */
export const readTdmrInfo = (ctx: LeafContext, array: KeyedAddress, index: number): RawTdmr => {
  const pointer = ctx.lp.load64(array.pa + 8 * index, array.keyId);
  const { pa, keyId } = sharedAddress(ctx, 'RCX', pointer, LIMIT.TDMR_INFO_ALIGNMENT);
  const bytes = ctx.lp.loadBytes(pa, TDMR_INFO.SIZE, keyId);
  const range = (base: typeof TDMR_INFO.BASE, size: typeof TDMR_INFO.BASE): RawRange => ({
    base: base.get(bytes),
    size: size.get(bytes),
  });
  return {
    ...range(TDMR_INFO.BASE, TDMR_INFO.LENGTH),
    pamt: {
      [LEVEL_1G]: range(TDMR_INFO.PAMT_1G_BASE, TDMR_INFO.PAMT_1G_SIZE),
      [LEVEL_2M]: range(TDMR_INFO.PAMT_2M_BASE, TDMR_INFO.PAMT_2M_SIZE),
      [LEVEL_4K]: range(TDMR_INFO.PAMT_4K_BASE, TDMR_INFO.PAMT_4K_SIZE),
    },
    reserved: Array.from({ length: LIMIT.MAX_RESERVED_PER_TDMR }, (_, j) => {
      const at = TDMR_INFO.RESERVED_AREAS.at(j);
      return { base: RESERVED_AREA.OFFSET.get(bytes, at), size: RESERVED_AREA.LENGTH.get(bytes, at) };
    }),
  };
};

const toRange = ({ base, size }: RawRange): Range => ({ base: Number(base), size: Number(size) });

/** To be called after the checks that make the values fit plain numbers. */
export const toCheckedTdmr = (raw: RawTdmr): CheckedTdmr => ({
  ...toRange(raw),
  pamt: [toRange(raw.pamt[LEVEL_4K]), toRange(raw.pamt[LEVEL_2M]), toRange(raw.pamt[LEVEL_1G])],
  reserved: raw.reserved
    .filter(({ size }) => size > 0n)
    .map(({ base, size }) => ({ base: Number(raw.base + base), size: Number(size) })),
});

/** The parts of a TDMR that are not reserved, ascending. */
export const usableParts = (tdmr: CheckedTdmr): Range[] => {
  const parts: Range[] = [];
  let from = tdmr.base;
  for (const area of [...tdmr.reserved, { base: endOf(tdmr), size: 0 }]) {
    if (area.base > from) parts.push({ base: from, size: area.base - from });
    from = endOf(area);
  }
  return parts;
};
