import { type CpuidRegisters, cpuidEntries } from '../../spec/cpuid.ts';

/** What every TD's CPUID starts from: the native values, with the bits cleared and set that are so for all TDs. */
export const baseTdCpuid = (native: readonly CpuidRegisters[]): CpuidRegisters[] =>
  cpuidEntries().map(({ fixed1, fixed0OrDynamic }, index) => {
    const values = native[index]!.map((word, i) => ((word & ~fixed0OrDynamic[i]!) | fixed1[i]!) >>> 0);
    return values as unknown as CpuidRegisters;
  });
