import { endOf, overlaps, type Platform, type Range, type SysInfoTable } from '../platform/index.ts';

const PAGE = 4096;
const MAX_CMRS = 32;
const SEAMRR_ALIGNMENT = 32 * 2 ** 20;

const hex = (value: number): string => `0x${value.toString(16)}`;
const show = (range: Range): string => `[${hex(range.base)}, ${hex(endOf(range))})`;

/** One thing that MCHECK verifies about the platform: why it fails, or null. */
type PlatformCheck = (platform: Platform, cmrs: readonly Range[]) => string | null;

const firstBad = (cmrs: readonly Range[], bad: (cmr: Range, index: number) => boolean, why: string): string | null => {
  const cmr = cmrs.find(bad);
  return cmr ? `CMR ${show(cmr)} ${why}` : null;
};

/** In this order: the first that fails is the reason. */
const CHECKS: readonly PlatformCheck[] = [
  ({ seam }) => (seam.range ? null : 'SEAMRR is not configured'),
  ({ map }) =>
    map.seamrr.base % SEAMRR_ALIGNMENT === 0 && map.seamrr.size % SEAMRR_ALIGNMENT === 0 ? null : 'SEAMRR is not 32 MiB aligned',
  (platform) => (platform.lastKeyId >= platform.firstPrivateKeyId ? null : 'no private KeyIDs (IA32_MKTME_KEYID_PARTITIONING)'),
  (_, cmrs) => (cmrs.length >= 1 && cmrs.length <= MAX_CMRS ? null : `${cmrs.length} CMRs; 1 to ${MAX_CMRS} are possible`),
  (_, cmrs) =>
    firstBad(cmrs, ({ base, size }) => base % PAGE !== 0 || size % PAGE !== 0 || size === 0, 'is not a range of 4 KiB pages'),
  (_, cmrs) =>
    firstBad(cmrs, ({ base }, i) => i > 0 && base < endOf(cmrs[i - 1]!), 'overlaps the one before it, or is out of order'),
  ({ map }, cmrs) => firstBad(cmrs, (cmr) => overlaps(cmr, map.seamrr), 'overlaps SEAMRR'),
  (platform, cmrs) => firstBad(cmrs, (cmr) => !isPresent(platform, cmr), 'is not present memory'),
];

/** Every byte is wired to some controller; neighbouring DRAM ranges count as one. */
function isPresent(platform: Platform, cmr: Range): boolean {
  let at = cmr.base;
  for (const range of [...platform.map.dram].sort((a, b) => a.base - b.base))
    if (range.base <= at && at < endOf(range)) at = endOf(range);
  return at >= endOf(cmr);
}

export type McheckResult = { readonly ok: true; readonly table: SysInfoTable } | { readonly ok: false; readonly reason: string };

/**
 * MCHECK: CPU microcode that verifies what BIOS set up before SEAM becomes usable (every CMR must be present, convertible memory;
 * requirement S1-15), and leaves the system information table for the module.
 */
export function mcheck(platform: Platform, cmrs: readonly Range[]): McheckResult {
  for (const check of CHECKS) {
    const reason = check(platform, cmrs);
    if (reason !== null) return { ok: false, reason };
  }
  const table: SysInfoTable = {
    cmrs: cmrs.map(({ base, size }) => ({ base, size })),
    totalLps: platform.lps.length,
    totalPackages: platform.packages,
    tdxWithoutIntegrity: platform.knobs['hw.integrity'] !== 'Ci',
    seamrr: platform.map.seamrr,
  };
  return { ok: true, table };
}
