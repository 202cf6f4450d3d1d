import { LIMIT } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import { TDX_INCORRECT_MSR_VALUE, TDX_NUM_ACTIVATED_HKIDS_NOT_SUPPORTED } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { KeyIdLayout } from '../module.ts';
import { ensure } from '../status.ts';

const LOCK_AND_ENABLE = 0b11n;
const ALGORITHMS = 0b1111n;
const WITH_INTEGRITY = 0b1010n;
const LOW32 = 0xffff_ffffn;

/** TDH.SYS.INIT step 7: TME must be locked with a usable algorithm; returns how physical addresses split into address and KeyID. */
export const readKeyPartition = (ctx: LeafContext): KeyIdLayout => {
  const usable = ctx.module.sysInfo.tdxWithoutIntegrity ? ALGORITHMS : WITH_INTEGRITY;
  const capability = ctx.lp.rdmsr(MSR.IA32_TME_CAPABILITY) & ALGORITHMS;
  ensure((capability & usable) !== 0n, TDX_INCORRECT_MSR_VALUE | BigInt(MSR.IA32_TME_CAPABILITY));
  const activate = ctx.lp.rdmsr(MSR.IA32_TME_ACTIVATE);
  const allowed = (activate >> 48n) & ALGORITHMS;
  const isActive = (activate & LOCK_AND_ENABLE) === LOCK_AND_ENABLE;
  ensure(isActive && (allowed & capability & usable) !== 0n, TDX_INCORRECT_MSR_VALUE | BigInt(MSR.IA32_TME_ACTIVATE));
  const keyIdBits = Number((activate >> 32n) & 0xfn);
  const partition = ctx.lp.rdmsr(MSR.IA32_MKTME_KEYID_PARTITIONING);
  const shared = Number(partition & LOW32);
  const lastPrivate = shared + Number(partition >> 32n);
  ensure(lastPrivate < LIMIT.MAX_HKIDS, TDX_NUM_ACTIVATED_HKIDS_NOT_SUPPORTED | BigInt(LIMIT.MAX_HKIDS));
  return { shift: LIMIT.HPA_BITS - keyIdBits, firstPrivate: shared + 1, lastPrivate };
};
