import { endOf, type MemoryMap, type Platform, type Range } from '../platform/index.ts';

const GiB = 2 ** 30;

/** What BIOS hands to MCHECK, and how it has set the platform up. */
export interface BiosConfiguration {
  /** BIOS's option "TDX" is on and SEAMRR is configured and locked. */
  readonly tdxEnabled: boolean;
  /** Why it is not, for the boot log. */
  readonly reason: string;
  /** Convertible memory as BIOS reports it: MCHECK does not believe it. */
  readonly cmrs: readonly Range[];
  /** BIOS's own memory below SEAMRR: never given to the OS. */
  readonly scratch: Range;
}

/** Memory that is not wired: what a wrong BIOS reports behind the last CMR. */
const absentMemory = ({ cmrs, dram }: MemoryMap): Range[] => {
  const end = Math.max(...dram.map(endOf));
  return [...cmrs, { base: end, size: GiB }];
};

/** Configures and locks SEAMRR (knobs `bios.tdx`, `bios.seamrr`) and builds the CMR list (knob `bios.cmr`). */
export const configureBios = (platform: Platform): BiosConfiguration => {
  const { knobs, map, seam } = platform;
  const reason = disabledReason(platform);
  if (reason === '') seam.range = map.seamrr;
  return {
    tdxEnabled: reason === '',
    reason,
    cmrs: knobs['bios.cmr'] === 'valid' ? map.cmrs : absentMemory(map),
    scratch: scratchBelow(map),
  };
};

const disabledReason = ({ knobs }: Platform): string => {
  if (knobs['bios.tdx'] === 'off') return 'BIOS: TDX is disabled';
  if (knobs['bios.seamrr'] === 'off') return 'BIOS: SEAMRR is not configured';
  return '';
};

/** From the end of the OS's RAM below SEAMRR up to SEAMRR. */
const scratchBelow = ({ e820, seamrr }: MemoryMap): Range => {
  const base = Math.max(0, ...e820.map(endOf).filter((end) => end <= seamrr.base));
  return { base, size: seamrr.base - base };
};
