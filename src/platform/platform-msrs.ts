import { MSR } from '../spec/msr.ts';
import { KEYID_BITS } from './address.ts';
import type { Platform } from './platform.ts';

const bit = (n: number): bigint => 1n << BigInt(n);
const bits = (...positions: number[]): bigint => positions.reduce((value, n) => value | bit(n), 0n);

const TME_XTS_128 = bit(0);
const TME_XTS_128_INTEGRITY = bit(1);
const TME_XTS_256 = bit(2);
const TME_XTS_256_INTEGRITY = bit(3);
const TME_LOCK = bit(0);
const TME_ENABLE = bit(1);
const SEAMRR_CONFIGURED = bit(3);
const RR_LOCK = bit(10);
const RR_VALID = bit(11);
const WRITE_BACK = 6n;

/** MTRRCAP: SMRR, SMRR lock and SEAMRR, write-combining, fixed ranges, ten variable ranges; no SMRR2. */
const MTRRCAP = 10n | bits(8, 10, 11, 14, 15);
/** Side-channel bits that TDH.SYS.INIT insists on, and TSX_CTRL, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, RRSBA, BHI_NO, PBRSB_NO. */
const ARCH_CAPABILITIES = bits(0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 19, 20, 21, 24);
const LEGACY_XAPIC_DISABLED = bit(0);
/** LBR format 0x3f, PEBS record format 5, PEBS_BASELINE, full-width counter writes, PERF_METRICS. */
const PERF_CAPABILITIES = 0x3fn | (5n << 8n) | bits(13, 14, 15);
/** Assumed: a 1 GHz time-stamp counter, as CPUID(0x15) says. */
const TSC_TICKS_PER_NS = 1n;
/** Fast strings, performance monitoring, PEBS unavailable, MONITOR. */
const MISC_ENABLE = bits(0, 7, 12, 18);
const MCG_CAP = 29n | bits(8, 9, 10, 12, 24, 27);
const FEATURE_CONTROL = bits(0, 2, 20);

/** VMX capabilities as a Sapphire Rapids part reports them where known; control MSRs: allowed-0 in bits 31:0, allowed-1 in 63:32 (assumed). */
const VMX_CAPABILITIES: readonly (readonly [number, bigint])[] = [
  [MSR.IA32_VMX_BASIC, 0x01da_0400_0000_0013n],
  [MSR.IA32_VMX_MISC, 0x2004_01e0n],
  [MSR.IA32_VMX_CR0_FIXED0, 0x8000_0021n],
  [MSR.IA32_VMX_CR0_FIXED1, 0xffff_ffffn],
  [MSR.IA32_VMX_CR4_FIXED0, 0x2000n],
  [MSR.IA32_VMX_CR4_FIXED1, 0x01ff_3fffn | bits(24, 25)],
  [MSR.IA32_VMX_TRUE_PINBASED_CTLS, 0x0000_00ff_0000_0016n],
  [MSR.IA32_VMX_TRUE_PROCBASED_CTLS, 0xfffb_fffe_0400_6172n],
  [MSR.IA32_VMX_PROCBASED_CTLS2, 0xffff_ffff_0000_0000n],
  [MSR.IA32_VMX_PROCBASED_CTLS3, 0x0000_0000_0000_00afn],
  [MSR.IA32_VMX_TRUE_EXIT_CTLS, 0xffff_ffff_0003_6dfbn],
  [MSR.IA32_VMX_TRUE_ENTRY_CTLS, 0x00ff_ffff_0000_11fbn],
  // execute-only, walk lengths 4 and 5, UC and WB, 2M and 1G pages, INVEPT, A/D bits, all INVVPID types
  [MSR.IA32_VMX_EPT_VPID_CAP, bits(0, 6, 7, 8, 14, 16, 17, 20, 21, 22, 23, 25, 26, 32, 40, 41, 42, 43)],
  [MSR.IA32_VMX_VMFUNC, 1n],
];

/** The MSRs that hardware and BIOS set; layouts.md §16. SEAMRR appears when firmware has configured it. */
export const definePlatformMsrs = (platform: Platform): void => {
  const { msrs } = platform;
  defineMemoryEncryption(platform);
  defineRangeRegisters(platform);
  defineCacheControl(platform);
  msrs.define(MSR.IA32_TSC, { read: (lp) => BigInt(Math.floor(lp.now)) * TSC_TICKS_PER_NS });
  msrs.perLp(MSR.IA32_TSC_ADJUST, 0n);
  msrs.constant(MSR.IA32_ARCH_CAPABILITIES, ARCH_CAPABILITIES);
  msrs.constant(MSR.IA32_XAPIC_DISABLE_STATUS, LEGACY_XAPIC_DISABLED);
  msrs.perLp(MSR.IA32_MISC_PACKAGE_CTLS, bit(0));
  msrs.constant(MSR.IA32_PERF_CAPABILITIES, PERF_CAPABILITIES);
  msrs.perLp(MSR.IA32_MISC_ENABLE, MISC_ENABLE);
  msrs.constant(MSR.IA32_MCG_CAP, MCG_CAP);
  msrs.perLp(MSR.IA32_MCG_STATUS, 0n);
  msrs.constant(MSR.IA32_FEATURE_CONTROL, FEATURE_CONTROL);
  for (const [index, value] of VMX_CAPABILITIES) msrs.constant(index, value);
};

const defineMemoryEncryption = ({ msrs, knobs, sharedKeyIds, lastKeyId }: Platform): void => {
  const keyIdBits = BigInt(KEYID_BITS);
  const integrity = knobs['hw.integrity'] === 'Ci' ? TME_XTS_128_INTEGRITY | TME_XTS_256_INTEGRITY : 0n;
  const algorithms = TME_XTS_128 | TME_XTS_256 | integrity;
  msrs.constant(MSR.IA32_MKTME_KEYID_PARTITIONING, BigInt(sharedKeyIds) | (BigInt(lastKeyId - sharedKeyIds) << 32n));
  msrs.constant(MSR.IA32_TME_CAPABILITY, algorithms | (keyIdBits << 32n) | (((1n << keyIdBits) - 1n) << 36n));
  msrs.constant(
    MSR.IA32_TME_ACTIVATE,
    TME_LOCK | TME_ENABLE | (keyIdBits << 32n) | ((keyIdBits - 4n) << 36n) | (algorithms << 48n),
  );
};

/** Base and mask registers of SEAMRR and SMRR. The mask covers the address bits up to 2^52, SMRR's up to 2^32. */
const defineRangeRegisters = ({ msrs, seam, map }: Platform): void => {
  msrs.constant(MSR.IA32_MTRRCAP, MTRRCAP);
  msrs.define(MSR.IA32_SEAMRR_PHYS_BASE, { read: () => (seam.range ? BigInt(seam.range.base) | SEAMRR_CONFIGURED : 0n) });
  msrs.define(MSR.IA32_SEAMRR_PHYS_MASK, { read: () => (seam.range ? rangeMask(seam.range.size, 52) | RR_LOCK | RR_VALID : 0n) });
  msrs.constant(MSR.IA32_SMRR_PHYSBASE, BigInt(map.smrr.base) | WRITE_BACK);
  msrs.constant(MSR.IA32_SMRR_PHYSMASK, rangeMask(map.smrr.size, 32) | RR_LOCK | RR_VALID);
};

const rangeMask = (size: number, width: number): bigint => ((1n << BigInt(width)) - 1n) & ~(BigInt(size) - 1n);

/** Cache sub-blocks of a package (assumed). */
const CACHE_SUB_BLOCKS = 4n;

/**
 * WBINVDP and WBNOINVDP: a read gives the number of cache sub-blocks, a write flushes the one it names. Which lines a sub-block
 * covers is not architectural, and software has to write all of them; here the last one covers the whole cache.
 */
const defineCacheControl = ({ msrs }: Platform): void => {
  const lastBlock = CACHE_SUB_BLOCKS - 1n;
  msrs.define(MSR.IA32_WBINVDP, { read: () => CACHE_SUB_BLOCKS, write: (lp, block) => block === lastBlock && lp.wbinvd() });
  msrs.define(MSR.IA32_WBNOINVDP, { read: () => CACHE_SUB_BLOCKS, write: (lp, block) => block === lastBlock && lp.wbnoinvd() });
  msrs.define(MSR.IA32_INTR_PENDING, { read: (lp) => (lp.pendingInterrupts.length > 0 ? 1n : 0n) });
};
