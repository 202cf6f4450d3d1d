import type { Range } from './memory-map.ts';

/** The system information table that MCHECK leaves in the SEAM range for P-SEAMLDR and the module (out of everybody else's reach). */
export interface SysInfoTable {
  /** Checked CMRs, ascending. */
  readonly cmrs: readonly Range[];
  /** LPs that BIOS enabled. */
  readonly totalLps: number;
  readonly totalPackages: number;
  /** The platform runs TDX without cryptographic integrity (Li). */
  readonly tdxWithoutIntegrity: boolean;
  readonly seamrr: Range;
}
