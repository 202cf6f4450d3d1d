import { TDCS, XFAM } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import type { TdxModule } from '../module.ts';
import type { TdCpuid } from './cpuid.ts';
import type { TdParams } from './params.ts';
import type { Tdcs } from './tdcs.ts';

const bit = (n: number): bigint => 1n << BigInt(n);
const bits = (...positions: number[]): bigint => positions.reduce((value, n) => value | bit(n), 0n);

const ALWAYS_NATIVE = bits(0, 1, 3, 5, 6, 8, 12, 13, 14, 15);
const TSX_CTRL = bit(7);
/** SSB_NO, BHI_NO, PBRSB_NO: the host may take them away. */
const MAY_BE_CLEARED = bits(4, 20, 24);
/** RRSBA: the host may add it. */
const MAY_BE_SET = bit(19);
const IS_CONFIGURED = 1;

/** The guest's IA32_ARCH_CAPABILITIES (msr.json, special). Assumed: without a configuration the configurable bits are native. */
const archCapabilities = (module: TdxModule, params: TdParams, { hasTsx }: TdCpuid): bigint => {
  const native = module.native!.msr(MSR.IA32_ARCH_CAPABILITIES);
  const fixed = native & (ALWAYS_NATIVE | (hasTsx ? TSX_CTRL : 0n));
  if ((params.msrConfigCtls & IS_CONFIGURED) === 0) return fixed | (native & (MAY_BE_CLEARED | MAY_BE_SET));
  return fixed | (native & params.archCapabilities & MAY_BE_CLEARED) | ((native | params.archCapabilities) & MAY_BE_SET);
};

const CR4 = { PKE: bit(22), CET: bit(23), PKS: bit(24), UINTR: bit(25) } as const;
const CR4_ALWAYS_ON = 0x2040n;
const CR4_WRITABLE = 0x3ff_1fbfn;

/** CR4 bits that this TD's guest may write. */
const cr4WriteMask = ({ xfam }: TdParams, hasPks: boolean): bigint => {
  const absent =
    ((xfam & XFAM.PKRU) === 0n ? CR4.PKE : 0n) |
    ((xfam & XFAM.CET_U) === 0n ? CR4.CET : 0n) |
    ((xfam & XFAM.UINTR) === 0n ? CR4.UINTR : 0n) |
    (hasPks ? 0n : CR4.PKS);
  return CR4_WRITABLE & ~absent & ~bit(19);
};

/**
 * MSRs that the module emulates from the TDCS (msr.json, vmxVirtualMsrs). The VMX control capabilities describe L2 VMs, which are
 * not modelled; they stay 0.
 */
export const initVirtualMsrs = (module: TdxModule, tdcs: Tdcs, params: TdParams, cpuid: TdCpuid, hasPks: boolean): void => {
  const writable = cr4WriteMask(params, hasPks);
  tdcs.set(TDCS.VIRTUAL_IA32_ARCH_CAPABILITIES, archCapabilities(module, params, cpuid));
  tdcs.set(TDCS.VIRTUAL_IA32_VMX_BASIC, bits(54, 55, 56));
  tdcs.set(TDCS.VIRTUAL_IA32_VMX_MISC, 0x6004_40e0n);
  tdcs.set(TDCS.VIRTUAL_IA32_VMX_CR0_FIXED0, 0x20n);
  tdcs.set(TDCS.VIRTUAL_IA32_VMX_CR0_FIXED1, 0x8005_003fn);
  tdcs.set(TDCS.VIRTUAL_IA32_VMX_CR4_FIXED0, CR4_ALWAYS_ON & ~writable);
  tdcs.set(TDCS.VIRTUAL_IA32_VMX_CR4_FIXED1, CR4_ALWAYS_ON | writable);
};
