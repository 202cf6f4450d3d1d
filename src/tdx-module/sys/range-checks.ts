import { endOf, overlaps, type Range } from '../../platform/index.ts';
import { LIMIT } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import {
  TDX_CMR_LIST_INVALID,
  TDX_INCOMPATIBLE_SEAM_CAPABILITIES,
  TDX_INVALID_SMRR_CONFIGURATION,
  TDX_SMRR_LOCK_NOT_SUPPORTED,
  TDX_SMRR_NOT_LOCKED,
  TDX_SMRR_NOT_SUPPORTED,
  TDX_SMRR_OVERLAPS_CMR,
} from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { PAGE_4K } from '../operands.ts';
import { ensure } from '../status.ts';

const bit = (n: number): bigint => 1n << BigInt(n);
const MTRRCAP = { SMRR: bit(11), SMRR2: bit(13), SMRR_LOCK: bit(14), SEAMRR: bit(15) } as const;
const MASK_LOCK = bit(10);
const MASK_VALID = bit(11);
const ADDRESS_32 = 0xffff_f000n;

/** Step 9: MCHECK's CMRs ascend, do not overlap, are whole pages and carry no KeyID bits. */
export const checkCmrs = (ctx: LeafContext, keyIdShift: number): void => {
  const { cmrs } = ctx.module.sysInfo;
  let previousEnd = 0;
  const sane = cmrs.every((cmr) => {
    const ordered = cmr.base >= previousEnd;
    previousEnd = endOf(cmr);
    return ordered && cmr.size > 0 && cmr.base % PAGE_4K === 0 && cmr.size % PAGE_4K === 0 && previousEnd <= 2 ** keyIdShift;
  });
  ensure(sane && cmrs.length > 0 && cmrs.length <= LIMIT.MAX_CMRS, TDX_CMR_LIST_INVALID);
};

/** Step 10: SMRR and SMRR2 are there, locked, consistent, and outside all CMRs. */
export const checkSmrrs = (ctx: LeafContext): void => {
  const capabilities = ctx.lp.rdmsr(MSR.IA32_MTRRCAP);
  ensure((capabilities & MTRRCAP.SMRR) !== 0n, TDX_SMRR_NOT_SUPPORTED);
  ensure((capabilities & MTRRCAP.SMRR_LOCK) !== 0n, TDX_SMRR_LOCK_NOT_SUPPORTED);
  checkSmrr(ctx, 0, MSR.IA32_SMRR_PHYSBASE, MSR.IA32_SMRR_PHYSMASK);
  if ((capabilities & MTRRCAP.SMRR2) !== 0n) checkSmrr(ctx, 1, MSR.IA32_SMRR2_PHYSBASE, MSR.IA32_SMRR2_PHYSMASK);
};

const checkSmrr = (ctx: LeafContext, index: number, baseMsr: number, maskMsr: number): void => {
  const base = ctx.lp.rdmsr(baseMsr) & ADDRESS_32;
  const maskValue = ctx.lp.rdmsr(maskMsr);
  ensure((maskValue & MASK_LOCK) !== 0n, TDX_SMRR_NOT_LOCKED | BigInt(index));
  if ((maskValue & MASK_VALID) === 0n) return;
  const mask = maskValue & ADDRESS_32;
  const size = (mask ^ ADDRESS_32) + BigInt(PAGE_4K);
  const isPowerOfTwo = (size & (size - 1n)) === 0n;
  ensure(isPowerOfTwo && (base & ~mask) === 0n, TDX_INVALID_SMRR_CONFIGURATION | BigInt(index));
  const smrr: Range = { base: Number(base), size: Number(size) };
  ctx.module.sysInfo.cmrs.forEach((cmr, cmrIndex) => {
    ensure(!overlaps(smrr, cmr), TDX_SMRR_OVERLAPS_CMR | BigInt(index) | (BigInt(cmrIndex) << 8n));
  });
};

/** Step 11. The SEAMOPS capability report is not modelled; MTRRCAP's SEAMRR bit stands for it (assumed). */
export const checkSeamCapabilities = (ctx: LeafContext): void =>
  ensure((ctx.lp.rdmsr(MSR.IA32_MTRRCAP) & MTRRCAP.SEAMRR) !== 0n, TDX_INCOMPATIBLE_SEAM_CAPABILITIES);
