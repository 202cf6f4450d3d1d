import { GPR } from '../../platform/index.ts';
import { TDCS, TDVPS, XFAM } from '../../spec/layouts.ts';
import { injectGp } from './inject.ts';
import type { ExitHandler } from './outcome.ts';
import { advanceRip, readGpr } from './registers.ts';
import type { TdRun } from './run.ts';

const LOW_32 = 0xffff_ffffn;
const XSAVE_LEAF = 0xd;
/** States that XCR0 enables (cr-and-instructions.json xfam.userMask). */
const USER_STATES = 0x6_02ffn;
const AVX512 = XFAM.AVX512_OPMASK | XFAM.AVX512_ZMM_HI256 | XFAM.AVX512_HI16_ZMM;
const AMX = XFAM.AMX_TILECFG | XFAM.AMX_TILEDATA;

/** XSETBV: the value goes into XCR0 when the TD has the states and they go together; else #GP(0). */
export const xsetbvExit: ExitHandler = function* (run, exit) {
  const value = (readGpr(run, GPR.RAX) & LOW_32) | ((readGpr(run, GPR.RDX) & LOW_32) << 32n);
  if ((readGpr(run, GPR.RCX) & LOW_32) !== 0n || !isLegalXcr0(run, value)) {
    injectGp(run);
    return null;
  }
  run.tdvps.set(TDVPS.XCR0, value);
  advanceRip(run, exit);
  return null;
};

function isLegalXcr0({ lp, tdcs }: TdRun, value: bigint): boolean {
  const native = BigInt(lp.cpuid(XSAVE_LEAF, 0)[0] >>> 0) & USER_STATES;
  const legal = native & tdcs.get(TDCS.XFAM);
  const has = (bits: bigint): boolean => (value & bits) === bits;
  const hasNone = (bits: bigint): boolean => (value & bits) === 0n;
  return (
    (value & ~legal) === 0n &&
    has(XFAM.X87) &&
    (hasNone(XFAM.AVX) || has(XFAM.SSE)) &&
    (hasNone(AVX512) || (has(AVX512) && has(XFAM.AVX))) &&
    (hasNone(AMX) || has(AMX))
  );
}
