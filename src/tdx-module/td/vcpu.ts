import { LIMIT, TDCS, TDVPS } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import {
  TDX_INCONSISTENT_MSR,
  TDX_LIMIT_CPUID_MAXVAL_SET,
  TDX_TDCX_NUM_INCORRECT,
  TDX_VCPU_ASSOCIATED,
} from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure } from '../status.ts';
import { cpuidIsLimited } from '../sys/msr-checks.ts';
import type { Tdcs } from './tdcs.ts';
import type { Tdvps } from './tdvps.ts';

/** TDVPS.ASSOC_LPID of a VCPU that no LP holds. */
export const NO_LP = 0xffff_ffff;
const PAGES_PER_L2_VM = 3;

/** TDVPS pages a VCPU of this TD needs. */
export const neededPages = (tdcs: Tdcs): number => LIMIT.MIN_NUM_TDVPS_PAGES + PAGES_PER_L2_VM * tdcs.get(TDCS.NUM_L2_VMS);

/** Not all of the VCPU's pages are there: TDX_TDCX_NUM_INCORRECT. */
export const ensurePages = (tdcs: Tdcs, tdvps: Tdvps): void =>
  ensure(tdvps.get(TDVPS.NUM_TDVPS_PAGES) >= neededPages(tdcs), TDX_TDCX_NUM_INCORRECT);

/**
 * Binds the VCPU to this LP; a VCPU that another LP holds is TDX_VCPU_ASSOCIATED. The binding stays even if the leaf fails later;
 * only TDH.VP.FLUSH undoes it. True when it was not bound before.
 */
export function associate(ctx: LeafContext, tdcs: Tdcs, tdvps: Tdvps): boolean {
  const holder = tdvps.get(TDVPS.ASSOC_LPID);
  ensure(holder === NO_LP || holder === ctx.lp.id, TDX_VCPU_ASSOCIATED);
  if (holder === ctx.lp.id) return false;
  tdvps.set(TDVPS.ASSOC_LPID, ctx.lp.id);
  tdcs.add(TDCS.NUM_ASSOC_VCPUS, 1);
  return true;
}

/** IA32_TSC_ADJUST must be what TDH.SYS.INIT saw. */
export const ensureTscAdjust = (ctx: LeafContext): void =>
  ensure(ctx.lp.rdmsr(MSR.IA32_TSC_ADJUST) === ctx.module.native?.tscAdjust, TDX_INCONSISTENT_MSR | BigInt(MSR.IA32_TSC_ADJUST));

/** IA32_MISC_ENABLE must not cut CPUID short. */
export const ensureCpuidUnlimited = (ctx: LeafContext): void => ensure(!cpuidIsLimited(ctx), TDX_LIMIT_CPUID_MAXVAL_SET);
