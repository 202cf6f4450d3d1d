import { GPR, type VmExit } from '../../platform/index.ts';
import { CPUID_LIMIT, type CpuidRegisters, cpuidLookup } from '../../spec/cpuid.ts';
import { TD_VMCS, TDCS, TDVPS } from '../../spec/layouts.ts';
import { injectInstructionVe } from './inject.ts';
import type { ExitHandler } from './outcome.ts';
import { advanceRip, isLongMode, readGpr, writeGpr, XAPIC_ID } from './registers.ts';
import type { TdRun } from './run.ts';

const LOW_32 = 0xffff_ffffn;
const EXTENDED_BASE = 0x8000_0000;
const HYPERVISOR_BASE = 0x4000_0000;
const HYPERVISOR_LAST = 0x4fff_ffff;
const CR4_OSXSAVE = 18n;
const CR4_PKE = 22n;
const SUPERVISOR_VE = 1;
const USER_VE = 2;
const [EAX, EBX, ECX, EDX] = [0, 1, 2, 3] as const;

type Values = [number, number, number, number];

/** Bits that follow the VCPU's state of the moment (cpuid.json, kind "dynamic"), by leaf and subleaf. */
const DYNAMIC: ReadonlyMap<string, (run: TdRun, values: Values) => void> = new Map([
  [
    key(1),
    (run, values) => {
      values[EBX] = setField(values[EBX], 24, 8, run.tdvps.get(XAPIC_ID) & 0xff);
      values[ECX] = setField(values[ECX], 27, 1, cr4Bit(run, CR4_OSXSAVE));
    },
  ],
  [
    key(7, 0),
    (run, values) => {
      values[ECX] = setField(values[ECX], 4, 1, cr4Bit(run, CR4_PKE));
    },
  ],
  [
    key(0xd, 0),
    (run, values) => {
      values[EBX] = xsaveSize(run, 0);
    },
  ],
  [
    key(0xd, 1),
    (run, values) => {
      values[EBX] = xsaveSize(run, 1);
    },
  ],
  [
    key(0x8000_0001),
    (run, values) => {
      values[EDX] = setField(values[EDX], 11, 1, isLongMode(run) ? 1 : 0);
    },
  ],
]);

function key(leaf: number, subleaf?: number): string {
  return `${leaf}.${subleaf ?? '*'}`;
}
const cr4Bit = (run: TdRun, bit: bigint): number => Number((run.tdvps.get(TD_VMCS.GUEST_CR4) >> bit) & 1n);
const setField = (value: number, low: number, width: number, field: number): number => {
  const mask = ((1 << width) - 1) << low;
  return ((value & ~mask) | (field << low)) >>> 0;
};
/** The CPU's own answer for the XCR0 (and XSS) in force. */
const xsaveSize = (run: TdRun, subleaf: number): number => run.lp.cpuid(0xd, subleaf)[EBX] >>> 0;

/** A leaf above the maximum reads as the highest basic leaf (cpuid.json leafRanges). */
function remapped(run: TdRun, leaf: number): number {
  if (leaf >= HYPERVISOR_BASE && leaf <= HYPERVISOR_LAST) return leaf;
  const lastExtended = run.lp.cpuid(EXTENDED_BASE)[EAX] >>> 0;
  const isOutside = leaf > lastExtended || (leaf > CPUID_LIMIT.virtualMaxBaseLeaf && leaf < EXTENDED_BASE);
  return isOutside ? CPUID_LIMIT.virtualMaxBaseLeaf : leaf;
}

/** Has the guest asked for #VE on this CPUID (TDG.VP.CPUIDVE.SET, or CPUID_CONTROL for one leaf)? */
function guestWantsVe(run: TdRun, index: number): boolean {
  const { tdvps } = run;
  const supervisor = run.cpu.cpl === 0;
  const everywhere = tdvps.get(supervisor ? TDVPS.CPUID_SUPERVISOR_VE : TDVPS.CPUID_USER_VE) !== 0;
  return everywhere || (tdvps.get(TDVPS.CPUID_CONTROL.item(index)) & (supervisor ? SUPERVISOR_VE : USER_VE)) !== 0;
}

/** CPUID: a virtual value from the TDCS, or #VE (cpuid.json cpuidExit). */
export const cpuidExit: ExitHandler = function* (run, exit) {
  const leaf = remapped(run, Number(readGpr(run, GPR.RAX) & LOW_32));
  const subleaf = Number(readGpr(run, GPR.RCX) & LOW_32);
  const index = cpuidLookup(leaf, subleaf);
  if (index < 0 || run.tdcs.get(TDCS.CPUID_VALID.item(index)) === 0 || guestWantsVe(run, index)) {
    injectInstructionVe(run, exit, 0n);
    return null;
  }
  answer(run, exit, virtualCpuid(run, index, leaf, subleaf));
  return null;
};

/** The value of one lookup index with its dynamic bits. */
function virtualCpuid(run: TdRun, index: number, leaf: number, subleaf: number): CpuidRegisters {
  const stored = run.tdcs.get(TDCS.CPUID_VALUES.item(index));
  const view = new DataView(stored.buffer, stored.byteOffset);
  const values: Values = [0, 0, 0, 0];
  for (const register of [EAX, EBX, ECX, EDX]) values[register] = view.getUint32(4 * register, true);
  (DYNAMIC.get(key(leaf)) ?? DYNAMIC.get(key(leaf, subleaf)))?.(run, values);
  return values;
}

function answer(run: TdRun, exit: VmExit, values: CpuidRegisters): void {
  [GPR.RAX, GPR.RBX, GPR.RCX, GPR.RDX].forEach((register, i) => {
    writeGpr(run, register, BigInt(values[i]! >>> 0));
  });
  advanceRip(run, exit);
}
