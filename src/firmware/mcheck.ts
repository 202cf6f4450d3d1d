import { contains, endOf, overlaps, type Platform, type Range, type SysInfoTable } from '../platform/index.ts';
import { LIMIT } from '../spec/layouts.ts';
import type { BiosConfiguration } from './bios.ts';

const PAGE = 4096;

/** MCHECK's verdict: the system information table, or the first rule that BIOS broke. */
export type McheckResult = { readonly ok: true; readonly table: SysInfoTable } | { readonly ok: false; readonly reason: string };

const hex = (value: number): string => `0x${value.toString(16)}`;
const show = (range: Range): string => `[${hex(range.base)}, ${hex(endOf(range))})`;

/** One rule about the whole configuration: the reason why it is broken, or nothing. */
type Rule = (platform: Platform, bios: BiosConfiguration) => string | undefined;

/** The first CMR that breaks a rule. */
const everyCmr =
  (broken: (cmr: Range, index: number, platform: Platform, bios: BiosConfiguration) => string | undefined): Rule =>
  (platform, bios) => {
    for (const [index, cmr] of bios.cmrs.entries()) {
      const reason = broken(cmr, index, platform, bios);
      if (reason) return `CMR ${index} ${show(cmr)} ${reason}`;
    }
    return undefined;
  };

/** MCHECK's rules in order: SEAMRR, KeyIDs, then the CMR list and the memory behind it. */
const RULES: readonly Rule[] = [
  ({ map }) =>
    map.seamrr.base % LIMIT.SEAMRR_ALIGNMENT || map.seamrr.size % LIMIT.SEAMRR_ALIGNMENT
      ? `SEAMRR ${show(map.seamrr)} is not aligned to 32 MiB`
      : undefined,
  ({ map }) =>
    map.dram.some((dram) => contains(dram, map.seamrr.base, map.seamrr.size))
      ? undefined
      : `SEAMRR ${show(map.seamrr)} is not in DRAM`,
  ({ lastKeyId, firstPrivateKeyId }) =>
    lastKeyId < firstPrivateKeyId ? 'no private KeyIDs in IA32_MKTME_KEYID_PARTITIONING' : undefined,
  (_platform, { cmrs }) =>
    cmrs.length === 0 || cmrs.length > LIMIT.MAX_CMRS ? `${cmrs.length} CMRs, 1 to ${LIMIT.MAX_CMRS} are possible` : undefined,
  everyCmr((cmr) =>
    cmr.size > 0 && cmr.base % PAGE === 0 && cmr.size % PAGE === 0 ? undefined : 'is not a range of whole pages',
  ),
  everyCmr((cmr, index, _platform, { cmrs }) =>
    index > 0 && cmr.base < endOf(cmrs[index - 1]!) ? 'is not above the one before' : undefined,
  ),
  everyCmr((cmr, _index, { map }) => (overlaps(cmr, map.seamrr) ? 'overlaps SEAMRR' : undefined)),
  everyCmr((cmr, _index, { map }) => (isPresent(cmr, map.dram) ? undefined : 'is not physically present')),
];

/** Every byte is wired: ranges of DRAM may join up. */
const isPresent = (cmr: Range, dram: readonly Range[]): boolean => {
  let at = cmr.base;
  while (at < endOf(cmr)) {
    const home = dram.find((range) => contains(range, at));
    if (!home) return false;
    at = endOf(home);
  }
  return true;
};

/** Checks what BIOS set up, and that every CMR is memory that is really there; leaves the table that P-SEAMLDR and the module trust. */
export const mcheck = (platform: Platform, bios: BiosConfiguration): McheckResult => {
  for (const rule of RULES) {
    const reason = rule(platform, bios);
    if (reason) return { ok: false, reason: `MCHECK: ${reason}` };
  }
  const table: SysInfoTable = {
    // Static from here on: no CMR is added or removed at run time (Intel's answer to the hotplug question, S1-16).
    cmrs: Object.freeze(bios.cmrs.map((cmr) => Object.freeze({ ...cmr }))),
    totalLps: platform.lps.length,
    totalPackages: platform.packages,
    tdxWithoutIntegrity: platform.knobs['hw.integrity'] !== 'Ci',
    seamrr: platform.map.seamrr,
  };
  return { ok: true, table };
};
