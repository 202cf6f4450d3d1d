import { ATTRIBUTES, ATTRIBUTES_FIXED0, ATTRIBUTES_FIXED1, CONFIG_FLAGS, LIMIT, TD_PARAMS, TDR } from '../../spec/layouts.ts';
import { MSR } from '../../spec/msr.ts';
import { TDX_INCONSISTENT_MSR, TDX_INCORRECT_MSR_VALUE, TDX_TDCS_NOT_ALLOCATED } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { TdxModule } from '../module.ts';
import { ensure, INVALID } from '../status.ts';
import { ARCH_CAPABILITIES_CONFIG_MASK, CONFIG_FLAGS_FIXED0, maxVcpusPerTd } from '../sys/fields.ts';
import type { TdCpuid } from './cpuid.ts';
import { ensureReserved, type TdParams } from './params.ts';
import type { Tdr } from './tdr.ts';
import { isLegalXfam } from './xfam.ts';

const FEATURES_LEAF = 0x7;
const NATIVE_PKS = 1 << 31;
const EPT_5_LEVELS = 1n << 7n;
const MEMORY_TYPE_WB = 6n;
const FIVE_LEVELS = 4n;
const FOUR_LEVELS = 3n;
const EPTP_CONTROL_BITS = 0x3fn;
const ARCH_CAPABILITIES_CONFIGURED = 1;
const TSX_CTRL = 1n << 7n;
const CPUID_CONFIG_END = TD_PARAMS.CPUID_CONFIG_VALUES.at(LIMIT.NUM_CPUID_CONFIG);

const isLegalAttributes = (module: TdxModule, attributes: bigint): boolean => {
  const pks = (module.native!.cpuidOf(FEATURES_LEAF, 0)[2] & NATIVE_PKS) !== 0 ? 0n : ATTRIBUTES.PKS;
  const exclusive = (attributes & ATTRIBUTES.MIGRATABLE) !== 0n && (attributes & (ATTRIBUTES.DEBUG | ATTRIBUTES.PERFMON)) !== 0n;
  return (
    (attributes & ~(ATTRIBUTES_FIXED0 & ~pks)) === 0n && (attributes & ATTRIBUTES_FIXED1) === ATTRIBUTES_FIXED1 && !exclusive
  );
};

/** Write-back, 4 or 5 levels; 5 where the CPU can (MAXPHYADDR is 52); a 52-bit guest needs 5. */
const isLegalEptp = (module: TdxModule, { eptpControls, configFlags }: TdParams): boolean => {
  const levels = eptpControls >> 3n;
  const can5 = (module.native!.msr(MSR.IA32_VMX_EPT_VPID_CAP) & EPT_5_LEVELS) !== 0n;
  const levelsFit = levels === FIVE_LEVELS ? can5 : levels === FOUR_LEVELS && (configFlags & CONFIG_FLAGS.GPAW) === 0n;
  return eptpControls <= EPTP_CONTROL_BITS && (eptpControls & 7n) === MEMORY_TYPE_WB && levelsFit;
};

/** TD_PARAMS up to the CPUID configuration, in the order of leaf-checks.md §2. */
export const checkParams = (ctx: LeafContext, tdr: Tdr, params: TdParams): void => {
  const { module, lp } = ctx;
  ensure(isLegalAttributes(module, params.attributes), INVALID.ATTRIBUTES);
  ensure(isLegalXfam(module, params.xfam), INVALID.XFAM);
  ensure(params.maxVcpus > 0 && params.maxVcpus <= maxVcpusPerTd(module), INVALID.MAX_VCPUS);
  ensure(params.numL2Vms <= LIMIT.MAX_L2_VMS, INVALID.NUM_L2_VMS);
  ensure(tdr.get(TDR.NUM_TDCX) >= LIMIT.MIN_NUM_TDCX + params.numL2Vms, TDX_TDCS_NOT_ALLOCATED);
  ensureReserved(params, TD_PARAMS.RESERVED_20.offset, TD_PARAMS.EPTP_CONTROLS.offset);
  ensure((params.configFlags & ~CONFIG_FLAGS_FIXED0) === 0n, INVALID.EXEC_CONTROLS);
  ensure(isLegalEptp(module, params), INVALID.EPTP_CONTROLS);
  const { tscFrequency } = params;
  ensure(tscFrequency >= LIMIT.TSC_FREQUENCY_MIN && tscFrequency <= LIMIT.TSC_FREQUENCY_MAX, INVALID.TSC_FREQUENCY);
  ensure(lp.rdmsr(MSR.IA32_TSC_ADJUST) === module.native!.tscAdjust, TDX_INCONSISTENT_MSR | BigInt(MSR.IA32_TSC_ADJUST));
  ensureReserved(params, TD_PARAMS.RESERVED_42.offset, TD_PARAMS.MRCONFIGID.offset);
  ensure((params.msrConfigCtls & ~ARCH_CAPABILITIES_CONFIGURED) === 0, INVALID.RDX);
  ensureReserved(params, TD_PARAMS.RESERVED_232.offset, TD_PARAMS.CPUID_CONFIG_VALUES.offset);
};

/** What comes after the CPUID configuration. */
export const checkParamsAfterCpuid = (ctx: LeafContext, params: TdParams, cpuid: TdCpuid): void => {
  const { module } = ctx;
  const nativeTsxCtrl = (module.native!.msr(MSR.IA32_ARCH_CAPABILITIES) & TSX_CTRL) !== 0n;
  ensure(!cpuid.hasTsx || nativeTsxCtrl, TDX_INCORRECT_MSR_VALUE | BigInt(MSR.IA32_ARCH_CAPABILITIES));
  ensureReserved(params, CPUID_CONFIG_END, TD_PARAMS.SIZE);
  const allowed = (params.msrConfigCtls & ARCH_CAPABILITIES_CONFIGURED) !== 0 ? ARCH_CAPABILITIES_CONFIG_MASK : 0n;
  ensure((params.archCapabilities & ~allowed) === 0n, INVALID.IA32_ARCH_CAPABILITIES_CONFIG);
  ensure((params.attributes & ATTRIBUTES.MIGRATABLE) === 0n || params.numL2Vms === 0, INVALID.RDX);
};
