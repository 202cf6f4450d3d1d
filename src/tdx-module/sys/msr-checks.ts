import { MSR } from '../../spec/msr.ts';
import { TDX_INCONSISTENT_MSR, TDX_INCORRECT_MSR_VALUE } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure } from '../status.ts';

const bit = (n: number): bigint => 1n << BigInt(n);
const bits = (...positions: number[]): bigint => positions.reduce((value, n) => value | bit(n), 0n);

/** What an MSR must hold: `value` in the bits of `mask`. */
type MsrRule = readonly [index: number, mask: bigint, value: bigint];

/** A VMX control MSR (allowed-1 in bits 63:32) must allow these controls to be 1. */
const allows = (index: number, controls: bigint): MsrRule => [index, controls << 32n, controls << 32n];

const SIDE_CHANNELS = bits(0, 1, 3, 5, 6, 8, 12, 13, 14, 15);
const PACKAGE_CONTROLS = bits(10, 11, 21);

/** TDH.SYS.INIT step 4 (leaf-checks.md §1; bits from msr.json). */
const FEATURE_RULES: readonly MsrRule[] = [
  [MSR.IA32_ARCH_CAPABILITIES, SIDE_CHANNELS | PACKAGE_CONTROLS | bit(2), SIDE_CHANNELS | PACKAGE_CONTROLS],
  [MSR.IA32_XAPIC_DISABLE_STATUS, bit(0), bit(0)],
  [MSR.IA32_MISC_PACKAGE_CTLS, bit(0), bit(0)],
  [MSR.IA32_PERF_CAPABILITIES, bit(13), bit(13)],
];

/** TDH.SYS.INIT step 6: the controls a TD's VMCS has on (cr-and-instructions.json); CPU-fixed bits are not looked at (unconfirmed). */
const VMX_RULES: readonly MsrRule[] = [
  [MSR.IA32_VMX_BASIC, bits(54, 55), bits(54, 55)],
  allows(MSR.IA32_VMX_TRUE_PINBASED_CTLS, 0x29n),
  allows(MSR.IA32_VMX_TRUE_PROCBASED_CTLS, 0x9122_0088n),
  allows(MSR.IA32_VMX_PROCBASED_CTLS2, 0x133c_b3fan),
  [MSR.IA32_VMX_PROCBASED_CTLS3, 0xa0n, 0xa0n],
  allows(MSR.IA32_VMX_TRUE_EXIT_CTLS, 0x1f3c_8204n),
  allows(MSR.IA32_VMX_TRUE_ENTRY_CTLS, 0x003e_c004n),
  [MSR.IA32_VMX_EPT_VPID_CAP, bits(6, 14, 16, 17, 20, 21), bits(6, 14, 16, 17, 20, 21)],
];

const checkRules = (ctx: LeafContext, rules: readonly MsrRule[]): void => {
  for (const [index, mask, value] of rules)
    ensure((ctx.lp.rdmsr(index) & mask) === value, TDX_INCORRECT_MSR_VALUE | BigInt(index));
};

export const checkFeatureMsrs = (ctx: LeafContext): void => checkRules(ctx, FEATURE_RULES);
export const checkVmxMsrs = (ctx: LeafContext): void => checkRules(ctx, VMX_RULES);

/** MSRs that TDH.SYS.LP.INIT compares with what TDH.SYS.INIT saw, in its groups and order. */
export const COMPARED_MSRS = {
  features: [MSR.IA32_TSC_ADJUST, MSR.IA32_ARCH_CAPABILITIES, MSR.IA32_XAPIC_DISABLE_STATUS, MSR.IA32_MISC_PACKAGE_CTLS],
  smrr: [MSR.IA32_MTRRCAP, MSR.IA32_SMRR_PHYSBASE, MSR.IA32_SMRR_PHYSMASK],
  vmx: VMX_RULES.map(([index]) => index),
  perf: [MSR.IA32_PERF_CAPABILITIES],
  encryption: [
    MSR.IA32_TME_CAPABILITY,
    MSR.IA32_TME_ACTIVATE,
    MSR.IA32_MKTME_KEYID_PARTITIONING,
    MSR.IA32_WBINVDP,
    MSR.IA32_WBNOINVDP,
  ],
} as const;

/** All of {@link COMPARED_MSRS} on this LP. */
export const recordMsrs = (ctx: LeafContext): Map<number, bigint> =>
  new Map(
    Object.values(COMPARED_MSRS)
      .flat()
      .map((index) => [index, ctx.lp.rdmsr(index)]),
  );

/** This LP's MSRs equal the recorded ones; else TDX_INCONSISTENT_MSR with the first that differs. */
export const compareMsrs = (ctx: LeafContext, group: keyof typeof COMPARED_MSRS): void => {
  for (const index of COMPARED_MSRS[group]) {
    ensure(ctx.lp.rdmsr(index) === ctx.module.native!.msrs.get(index), TDX_INCONSISTENT_MSR | BigInt(index));
  }
};

const LIMIT_CPUID_MAXVAL = bit(22);

/** IA32_MISC_ENABLE: is CPUID limited to old leaves? */
export const cpuidIsLimited = (ctx: LeafContext): boolean => (ctx.lp.rdmsr(MSR.IA32_MISC_ENABLE) & LIMIT_CPUID_MAXVAL) !== 0n;
