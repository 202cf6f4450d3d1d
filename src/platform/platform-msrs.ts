import { MSR } from '../spec/msr.ts';
import type { Platform } from './platform.ts';
import { KEYID_BITS } from './platform.ts';

const TME_XTS_128 = 1n << 0n;
const TME_XTS_128_INTEGRITY = 1n << 1n;
const TME_XTS_256 = 1n << 2n;
const TME_XTS_256_INTEGRITY = 1n << 3n;
const TME_LOCK = 1n << 0n;
const TME_ENABLE = 1n << 1n;
const SEAMRR_CONFIGURED = 1n << 3n;
const SEAMRR_LOCK = 1n << 10n;
const SEAMRR_VALID = 1n << 11n;

/** The MSRs that hardware and BIOS set; layouts.md §16. SEAMRR appears when firmware has configured it. */
export const definePlatformMsrs = (platform: Platform): void => {
  const { msrs, knobs } = platform;
  const keyIdBits = BigInt(KEYID_BITS);
  const privateKeyIds = BigInt(platform.lastKeyId - platform.sharedKeyIds);
  const integrity = knobs['hw.integrity'] === 'Ci' ? TME_XTS_128_INTEGRITY | TME_XTS_256_INTEGRITY : 0n;
  const algorithms = TME_XTS_128 | TME_XTS_256 | integrity;
  msrs.constant(MSR.IA32_MKTME_KEYID_PARTITIONING, BigInt(platform.sharedKeyIds) | (privateKeyIds << 32n));
  msrs.constant(MSR.IA32_TME_CAPABILITY, algorithms | (keyIdBits << 32n) | (((1n << keyIdBits) - 1n) << 36n));
  msrs.constant(
    MSR.IA32_TME_ACTIVATE,
    TME_LOCK | TME_ENABLE | (keyIdBits << 32n) | ((keyIdBits - 4n) << 36n) | (algorithms << 48n),
  );
  msrs.define(MSR.IA32_SEAMRR_PHYS_BASE, {
    read: () => (platform.seam.range ? BigInt(platform.seam.range.base) | SEAMRR_CONFIGURED : 0n),
  });
  msrs.define(MSR.IA32_SEAMRR_PHYS_MASK, {
    read: () => (platform.seam.range ? seamrrMask(platform.seam.range.size) | SEAMRR_LOCK | SEAMRR_VALID : 0n),
  });
  msrs.perLp(MSR.IA32_TSC_ADJUST, 0n);
  defineCacheControl(platform);
};

const seamrrMask = (size: number): bigint => ((1n << 52n) - 1n) & ~(BigInt(size) - 1n);

/** WBINVDP, WBNOINVDP: read gives the number of cache sub-blocks, write flushes one; INTR_PENDING. One sub-block a package here (assumed). */
const defineCacheControl = ({ msrs }: Platform): void => {
  msrs.define(MSR.IA32_WBINVDP, { read: () => 1n, write: (lp) => lp.wbinvd() });
  msrs.define(MSR.IA32_WBNOINVDP, { read: () => 1n, write: (lp) => lp.wbnoinvd() });
  msrs.define(MSR.IA32_INTR_PENDING, { read: (lp) => (lp.pendingInterrupts.length > 0 ? 1n : 0n) });
};
