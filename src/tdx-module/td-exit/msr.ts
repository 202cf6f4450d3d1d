import { GPR, HardwareException, type VmExit } from '../../platform/index.ts';
import { ATTRIBUTES, TD_VMCS, TDCS, XFAM } from '../../spec/layouts.ts';
import { findMsr, MSR, type MsrAction, type MsrCondition, type MsrRule } from '../../spec/msr.ts';
import { injectGp, injectInstructionVe } from './inject.ts';
import { tdMsr, vcpuMsr } from './msr-state.ts';
import type { ExitHandler, Outcome } from './outcome.ts';
import { advanceRip, readGpr, writeGpr } from './registers.ts';
import type { TdRun } from './run.ts';
import { virtualCpuidBit } from './virtual-cpuid.ts';

const LOW_32 = 0xffff_ffffn;
const DEBUGCTL_UNCORE_PMI = 1n << 13n;
const DEBUGCTL_TR = 1n << 6n;
const DEBUGCTL_BTS = 1n << 7n;
const DEBUGCTL_RESERVED = 0xffff_ffff_ffff_0038n;
const PERF_METRICS_AVAILABLE = 1n << 15n;
const PEBS_OUTPUT_PT = 1n << 16n;
const EFER_SCE = 1n;
const EFER_LMA = 1n << 10n;
const XSAVE_LEAF = 0xd;
/** Supervisor states that XFAM knows (cr-and-instructions.json xfam.supervisorMask). */
const XSS_MASK = 0x1_fd00n;

const attribute = ({ tdcs }: TdRun, bit: bigint): boolean => (tdcs.get(TDCS.ATTRIBUTES) & bit) !== 0n;
const xfam = ({ tdcs }: TdRun, bits: bigint): boolean => (tdcs.get(TDCS.XFAM) & bits) !== 0n;

/** The conditions of msr.json, asked of the TD that runs. */
const CONDITIONS: Readonly<Record<MsrCondition, (run: TdRun) => boolean>> = {
  perfmon: (run) => attribute(run, ATTRIBUTES.PERFMON),
  pt: (run) => xfam(run, XFAM.PT),
  cet: (run) => xfam(run, XFAM.CET_U | XFAM.CET_S),
  uintr: (run) => xfam(run, XFAM.UINTR),
  lbr: (run) => xfam(run, XFAM.LBR),
  tme: ({ tdcs }) => virtualCpuidBit(tdcs, 7, 0, 'ecx', 13),
  dca: ({ tdcs }) => virtualCpuidBit(tdcs, 1, 0, 'ecx', 18),
  xfd: ({ tdcs }) => virtualCpuidBit(tdcs, 0xd, 1, 'eax', 4),
  pconfig: ({ tdcs }) => virtualCpuidBit(tdcs, 7, 0, 'edx', 18),
  waitpkg: ({ tdcs }) => virtualCpuidBit(tdcs, 7, 0, 'ecx', 5),
  tsx: ({ tdcs }) => virtualCpuidBit(tdcs, 7, 0, 'ebx', 4),
  perfMetrics: (run) =>
    attribute(run, ATTRIBUTES.PERFMON) && (run.lp.rdmsr(MSR.IA32_PERF_CAPABILITIES) & PERF_METRICS_AVAILABLE) !== 0n,
  tscDeadline: ({ tdcs }) => virtualCpuidBit(tdcs, 1, 0, 'ecx', 24),
  pks: (run) => attribute(run, ATTRIBUTES.PKS),
  perfmonAndPt: (run) => attribute(run, ATTRIBUTES.PERFMON) && xfam(run, XFAM.PT),
};

/** Reads that the module answers itself; other emulated ones are in the TDCS. */
const EMULATED_READS: ReadonlyMap<number, (run: TdRun) => bigint> = new Map([
  [MSR.IA32_XAPIC_DISABLE_STATUS, () => 1n],
  [MSR.IA32_DEBUGCTL, ({ tdvps }: TdRun) => tdvps.get(TD_VMCS.GUEST_IA32_DEBUGCTL) & ~DEBUGCTL_UNCORE_PMI],
  [MSR.IA32_MISC_ENABLE, ({ lp }: TdRun) => lp.rdmsr(MSR.IA32_MISC_ENABLE)],
  [MSR.IA32_PERF_CAPABILITIES, perfCapabilities],
]);

/** No PERFMON: 0; PERFMON without PT: native without PEBS output to PT. */
function perfCapabilities(run: TdRun): bigint {
  return CONDITIONS.perfmon(run) ? run.lp.rdmsr(MSR.IA32_PERF_CAPABILITIES) & ~PEBS_OUTPUT_PT : 0n;
}

/** Writes that the module checks (msr.json special): the new value, or what the guest gets instead. */
const EMULATED_WRITES: ReadonlyMap<number, (run: TdRun, value: bigint) => bigint | 've' | 'gp'> = new Map([
  [MSR.IA32_EFER, writeEfer],
  [MSR.IA32_DEBUGCTL, writeDebugctl],
  [MSR.IA32_XSS, writeXss],
]);

function writeEfer({ tdvps }: TdRun, value: bigint): bigint | 've' {
  const old = tdvps.get(TD_VMCS.GUEST_IA32_EFER);
  const next = (value & ~EFER_LMA) | (old & EFER_LMA);
  return ((next ^ old) & ~EFER_SCE) === 0n ? next : 've';
}

function writeDebugctl({ tdvps }: TdRun, value: bigint): bigint | 've' | 'gp' {
  if ((value & DEBUGCTL_RESERVED) !== 0n) return 'gp';
  if ((value & DEBUGCTL_TR) !== 0n && (value & DEBUGCTL_BTS) === 0n) return 've';
  return (value & ~DEBUGCTL_UNCORE_PMI) | (tdvps.get(TD_VMCS.GUEST_IA32_DEBUGCTL) & DEBUGCTL_UNCORE_PMI);
}

function writeXss({ tdcs, lp }: TdRun, value: bigint): bigint | 'gp' {
  const [, , supported] = lp.cpuid(XSAVE_LEAF, 1);
  const legal = BigInt(supported >>> 0) & XSS_MASK & tdcs.get(TDCS.XFAM);
  return (value & ~legal) === 0n ? value : 'gp';
}

const actionOf = (run: TdRun, rule: MsrRule): MsrAction =>
  rule.condition === undefined || CONDITIONS[rule.condition](run) ? rule.whenTrue : rule.whenFalse;

const setEdxEax = (run: TdRun, value: bigint): void => {
  writeGpr(run, GPR.RAX, value & LOW_32);
  writeGpr(run, GPR.RDX, value >> 32n);
};
const edxEax = (run: TdRun): bigint => (readGpr(run, GPR.RAX) & LOW_32) | ((readGpr(run, GPR.RDX) & LOW_32) << 32n);
const msrIndex = (run: TdRun): number => Number(readGpr(run, GPR.RCX) & LOW_32);

/** A native access reaches the CPU in the real machine without an exit; here it comes this way and the module lets it through. */
function native(run: TdRun, exit: VmExit, access: () => void): void {
  try {
    access();
    advanceRip(run, exit);
  } catch (exception) {
    if (!(exception instanceof HardwareException)) throw exception;
    injectGp(run);
  }
}

const readNative = (run: TdRun, index: number): bigint => {
  const field = vcpuMsr(index);
  return field ? run.tdvps.get(field) : run.lp.rdmsr(index);
};

const readEmulated = (run: TdRun, index: number): bigint => {
  const field = tdMsr(index);
  return EMULATED_READS.get(index)?.(run) ?? (field ? run.tdcs.get(field) : 0n);
};

/** Commands such as IA32_PRED_CMD have no state; here they have no effect either. */
const writeVcpuMsr = (run: TdRun, index: number, value: bigint): void => {
  const field = vcpuMsr(index);
  if (field) run.tdvps.set(field, value);
};

function act(run: TdRun, exit: VmExit, action: MsrAction, access: () => void): Outcome {
  if (action === 've') injectInstructionVe(run, exit, 0n);
  else if (action === 'gp') injectGp(run);
  else native(run, exit, access);
  return null;
}

/** RDMSR by the table of msr.json; an MSR without a row is #VE. */
export const msrReadExit: ExitHandler = function* (run, exit) {
  const index = msrIndex(run);
  const row = findMsr(index);
  const action = row ? actionOf(run, row.read) : 've';
  return act(run, exit, action, () => setEdxEax(run, action === 'emulated' ? readEmulated(run, index) : readNative(run, index)));
};

/** WRMSR, likewise. */
export const msrWriteExit: ExitHandler = function* (run, exit) {
  const index = msrIndex(run);
  const row = findMsr(index);
  const action = row ? actionOf(run, row.write) : 've';
  const emulate = action === 'emulated' ? EMULATED_WRITES.get(index) : undefined;
  const value = emulate ? emulate(run, edxEax(run)) : edxEax(run);
  if (typeof value === 'string') return act(run, exit, value, () => {});
  return act(run, exit, action, () => writeVcpuMsr(run, index, value));
};
