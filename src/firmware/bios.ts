import { endOf, type Platform, type Range } from '../platform/index.ts';

const MiB = 2 ** 20;

/** The CMRs that BIOS hands to MCHECK. The knob makes it claim memory that is not wired (requirement S1-15). */
export function biosCmrs(platform: Platform): readonly Range[] {
  const { cmrs, dram } = platform.map;
  if (platform.knobs['bios.cmr'] === 'valid') return cmrs;
  const top = Math.max(...dram.map(endOf));
  return [...cmrs, { base: top, size: 512 * MiB }];
}

/** What BIOS programs before MCHECK runs: SEAMRR, if TDX is on. The registers are locked by it: nobody can move the range later. */
export function configureSeamrr(platform: Platform): void {
  const { knobs, map, seam } = platform;
  seam.range = knobs['bios.tdx'] === 'on' && knobs['bios.seamrr'] === 'on' ? map.seamrr : null;
}
