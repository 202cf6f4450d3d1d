import { type CpuidRegisters, cpuidConfig } from '../../spec/cpuid.ts';
import {
  ATTRIBUTES_FIXED0,
  ATTRIBUTES_FIXED1,
  CONFIG_FLAGS,
  LIMIT,
  PAMT_ENTRY,
  XFAM_FIXED0,
  XFAM_FIXED1,
} from '../../spec/layouts.ts';
import type { TdxModule } from '../module.ts';

const PAGE = 4096;

/** Who the module says it is. Build date and number are the model's own (assumed). */
export const IDENTITY = {
  VENDOR_ID: 0x8086,
  BUILD_DATE: 0x20230331,
  BUILD_NUM: 481,
  MINOR_VERSION: 5,
  MAJOR_VERSION: 1,
  UPDATE_VERSION: 1,
} as const;

/** Live update: versions of the handoff data that this module writes and reads. */
export const HANDOFF = { MODULE_HV: 0, MIN_UPDATE_HV: 0, NO_DOWNGRADE: 0 } as const;

/** Sizes of the control structures that the host allocates. */
export const STRUCTURE_BYTES = {
  TDR: PAGE,
  TDCS: LIMIT.MIN_NUM_TDCX * PAGE,
  TDCS_PER_L2_VM: PAGE,
  TDVPS: LIMIT.MIN_NUM_TDVPS_PAGES * PAGE,
  TDVPS_PER_L2_VM: 3 * PAGE,
} as const;

/** TDX_FEATURES0: TD preserving, service TDs and partitioning of 1.5, and what Linux and KVM look for (assumed). */
const FEATURE = { LOCAL_ATTESTATION: 1n << 3n, NO_RBP_MOD: 1n << 18n, TOPOLOGY_ENUM: 1n << 20n } as const;
/** Assumed: the largest MAX_VCPUS that 1.5-kvm reports. */
const MAX_VCPUS_PER_TD = 576;
export const CONFIG_FLAGS_FIXED0 = CONFIG_FLAGS.GPAW | CONFIG_FLAGS.FLEXIBLE_PENDING_VE | CONFIG_FLAGS.NO_RBP_MOD;
/** IA32_ARCH_CAPABILITIES bits that TD_PARAMS may set: 4 SSB_NO, 19 RRSBA, 20 BHI_NO, 24 PBRSB_NO. */
export const ARCH_CAPABILITIES_CONFIG_MASK = 0x0118_0010n;

const ALL_ONES = (1n << 64n) - 1n;

const is15Kvm = (module: TdxModule): boolean => module.knobs['module.profile'] === '1.5-kvm';

const features0 = (module: TdxModule): bigint => {
  const rbp = module.knobs['module.features0'] === 'on' ? FEATURE.NO_RBP_MOD : 0n;
  return FEATURE.LOCAL_ATTESTATION | rbp | (is15Kvm(module) ? FEATURE.TOPOLOGY_ENUM : 0n);
};

const ANY_SUBLEAF = 0xffff_ffff;

const cpuidConfigLeaf = (index: number): bigint => {
  const entry = cpuidConfig()[index];
  return entry ? BigInt(entry.leaf) | (BigInt(entry.subleaf ?? ANY_SUBLEAF) << 32n) : ALL_ONES;
};

const cpuidConfigValue = (index: number): bigint => {
  const entry = cpuidConfig()[index >> 1];
  if (!entry) return 0n;
  const [low, high] = (index & 1) === 0 ? entry.configDirect.slice(0, 2) : entry.configDirect.slice(2);
  return BigInt(low!) | (BigInt(high!) << 32n);
};

/** config_direct bits, and those allow_direct bits that the platform has: what TDH.SYS.INFO reports of configurable entry `index`. */
export const reportedConfig = (module: TdxModule, index: number): CpuidRegisters => {
  const { configDirect, allowDirect, lookupIndex } = cpuidConfig()[index]!;
  const native = module.native!.cpuid[lookupIndex]!;
  return configDirect.map((word, i) => (word | (allowDirect[i]! & native[i]!)) >>> 0) as unknown as CpuidRegisters;
};

type SysValue = (module: TdxModule, index: number) => bigint;
const constant =
  (value: number | bigint): SysValue =>
  () =>
    BigInt(value);

/** Values of the SYS metadata context by field name; a field without a row reads 0. `index` is the element. */
const VALUES: Readonly<Record<string, SysValue>> = {
  NUM_PKGS: (module) => BigInt(module.sysInfo.totalPackages),
  PKG_FMS: (module, index) => (index < module.sysInfo.totalPackages ? BigInt(module.native!.cpuid[0]![0]) : 0n),
  VENDOR_ID: constant(IDENTITY.VENDOR_ID),
  BUILD_DATE: constant(IDENTITY.BUILD_DATE),
  BUILD_NUM: constant(IDENTITY.BUILD_NUM),
  MINOR_VERSION: constant(IDENTITY.MINOR_VERSION),
  MAJOR_VERSION: constant(IDENTITY.MAJOR_VERSION),
  UPDATE_VERSION: constant(IDENTITY.UPDATE_VERSION),
  MODULE_HV: constant(HANDOFF.MODULE_HV),
  MIN_UPDATE_HV: constant(HANDOFF.MIN_UPDATE_HV),
  NO_DOWNGRADE: constant(HANDOFF.NO_DOWNGRADE),
  NUM_TDX_FEATURES: constant(1),
  TDX_FEATURES0: features0,
  NUM_CMRS: (module) => BigInt(module.sysInfo.cmrs.length),
  CMR_BASE: (module, index) => BigInt(module.sysInfo.cmrs[index]?.base ?? 0),
  CMR_SIZE: (module, index) => BigInt(module.sysInfo.cmrs[index]?.size ?? 0),
  MAX_TDMRS: constant(LIMIT.MAX_TDMRS),
  MAX_RESERVED_PER_TDMR: constant(LIMIT.MAX_RESERVED_PER_TDMR),
  PAMT_4K_ENTRY_SIZE: constant(PAMT_ENTRY.SIZE),
  PAMT_2M_ENTRY_SIZE: constant(PAMT_ENTRY.SIZE),
  PAMT_1G_ENTRY_SIZE: constant(PAMT_ENTRY.SIZE),
  TDR_BASE_SIZE: constant(STRUCTURE_BYTES.TDR),
  TDCS_BASE_SIZE: constant(STRUCTURE_BYTES.TDCS),
  TDCS_SIZE_PER_L2_VM: constant(STRUCTURE_BYTES.TDCS_PER_L2_VM),
  TDVPS_BASE_SIZE: constant(STRUCTURE_BYTES.TDVPS),
  TDVPS_SIZE_PER_L2_VM: constant(STRUCTURE_BYTES.TDVPS_PER_L2_VM),
  ATTRIBUTES_FIXED0: constant(ATTRIBUTES_FIXED0),
  ATTRIBUTES_FIXED1: constant(ATTRIBUTES_FIXED1),
  XFAM_FIXED0: constant(XFAM_FIXED0),
  XFAM_FIXED1: constant(XFAM_FIXED1),
  NUM_CPUID_CONFIG: constant(LIMIT.NUM_CPUID_CONFIG),
  CONFIG_FLAGS_FIXED0: constant(CONFIG_FLAGS_FIXED0),
  MAX_VCPUS_PER_TD: constant(MAX_VCPUS_PER_TD),
  CPUID_CONFIG_LEAVES: (_module, index) => cpuidConfigLeaf(index),
  CPUID_CONFIG_VALUES: (_module, index) => cpuidConfigValue(index),
  IA32_ARCH_CAPABILITIES_CONFIG_MASK: constant(ARCH_CAPABILITIES_CONFIG_MASK),
  MAX_MIGS: constant(LIMIT.MAX_MIGS),
};

const NEEDS_1_5_KVM: readonly string[] = ['MAX_VCPUS_PER_TD'];

/** Does this module profile have the field? */
export const hasSysField = (module: TdxModule, name: string): boolean => is15Kvm(module) || !NEEDS_1_5_KVM.includes(name);

/** The value of element `index` of a SYS field. */
export const sysFieldValue = (module: TdxModule, name: string, index: number): bigint => VALUES[name]?.(module, index) ?? 0n;

/** The largest MAX_VCPUS of a TD: the field's 16 bits in 1.5.01. */
export const maxVcpusPerTd = (module: TdxModule): number => (is15Kvm(module) ? MAX_VCPUS_PER_TD : 0xffff);
