import type { CpuidRegisters } from '../../spec/cpuid.ts';

/** What TDH.SYS.INIT saw of the LP it ran on; TDH.SYS.LP.INIT compares every LP with it (the module's copy, in SEAM). */
export interface NativeState {
  /** By lookup index of spec/cpuid: the values as the CPU gave them. */
  readonly cpuid: readonly CpuidRegisters[];
  /** MSRs that must be equal on every LP, by index. */
  readonly msrs: ReadonlyMap<number, bigint>;
  /** CPUID values a TD starts from: native with the always-fixed bits applied, filled by TDH.SYS.CONFIG. */
  tdCpuid: readonly CpuidRegisters[];
  /** Cache sub-blocks of a package (MSR 0x99). */
  readonly cacheBlocks: number;
  /** IA32_TSC_ADJUST at SYS.INIT, which must not change. */
  readonly tscAdjust: bigint;
}
