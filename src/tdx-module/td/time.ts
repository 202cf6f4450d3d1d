import { TDCS } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import type { LeafContext } from '../context.ts';
import type { Tdcs } from './tdcs.ts';

const TSC_LEAF = 0x15;
const HZ_PER_UNIT = 25_000_000n;
const FRACTION_BITS = 48n;

/** The TD's time-stamp counter: 25 MHz × `frequency`, zero now. Multiplier: SDM's 16.48 fixed point. */
export const initTsc = (ctx: LeafContext, tdcs: Tdcs, frequency: number): void => {
  const [denominator, numerator, crystal] = ctx.module.native!.cpuidOf(TSC_LEAF, 0);
  const native = (BigInt(crystal) * BigInt(numerator)) / BigInt(denominator);
  const multiplier = ((BigInt(frequency) * HZ_PER_UNIT) << FRACTION_BITS) / native;
  const now = (ctx.lp.rdmsr(MSR.IA32_TSC) * multiplier) >> FRACTION_BITS;
  tdcs.set(TDCS.TSC_FREQUENCY, frequency);
  tdcs.set(TDCS.TSC_MULTIPLIER, multiplier);
  tdcs.set(TDCS.TSC_OFFSET, BigInt.asUintN(64, -now));
};
