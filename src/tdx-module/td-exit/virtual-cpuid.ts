import { cpuidLookup } from '../../spec/cpuid.ts';
import { TDCS } from '../../spec/layouts.ts';
import type { Tdcs } from '../td/tdcs.ts';

export type CpuidRegister = 'eax' | 'ebx' | 'ecx' | 'edx';
const REGISTERS: readonly CpuidRegister[] = ['eax', 'ebx', 'ecx', 'edx'];

/** One bit of the TD's virtual CPUID, as TDH.MNG.INIT stored it. */
export function virtualCpuidBit(tdcs: Tdcs, leaf: number, subleaf: number, register: CpuidRegister, bit: number): boolean {
  const values = tdcs.get(TDCS.CPUID_VALUES.item(cpuidLookup(leaf, subleaf)));
  const word = new DataView(values.buffer, values.byteOffset).getUint32(4 * REGISTERS.indexOf(register), true);
  return ((word >>> bit) & 1) === 1;
}
