import { type CpuidRegisters, cpuidLookup } from '../../spec/cpuid.ts';

/** What TDH.SYS.INIT saw of the LP it ran on; TDH.SYS.LP.INIT compares every LP with it (the module's copy, in SEAM). */
export class NativeState {
  /** By lookup index of spec/cpuid: the values as the CPU gave them. */
  readonly cpuid: readonly CpuidRegisters[];
  /** MSRs that must be equal on every LP, by index. */
  readonly msrs: ReadonlyMap<number, bigint>;
  /** CPUID values a TD starts from: native with the always-fixed bits applied; TDH.SYS.CONFIG fills it. */
  tdCpuid: readonly CpuidRegisters[] = [];
  /** Cache sub-blocks of a package (MSR 0x99). */
  readonly cacheBlocks: number;
  /** IA32_TSC_ADJUST at SYS.INIT, which must not change. */
  readonly tscAdjust: bigint;

  constructor(seen: Pick<NativeState, 'cpuid' | 'msrs' | 'cacheBlocks' | 'tscAdjust'>) {
    this.cpuid = seen.cpuid;
    this.msrs = seen.msrs;
    this.cacheBlocks = seen.cacheBlocks;
    this.tscAdjust = seen.tscAdjust;
  }

  /** A leaf of the module's table, as the CPU gave it. */
  cpuidOf(leaf: number, subleaf: number): CpuidRegisters {
    return this.cpuid[cpuidLookup(leaf, subleaf)]!;
  }

  /** An MSR of the compared ones. */
  msr(index: number): bigint {
    return this.msrs.get(index)!;
  }
}
