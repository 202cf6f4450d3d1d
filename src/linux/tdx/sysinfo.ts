import type { Software } from '../../platform/index.ts';
import { EINVAL } from '../../spec/errno.ts';
import { MD_MAX_VCPUS_PER_TD } from '../../spec/features.ts';
import { TDH } from '../../spec/leaves.ts';
import { MD_SYS } from '../../spec/metadata.ts';
import type { Cpu } from '../cpu.ts';
import { seamcall_prerr_ret, type TdxModuleArgs } from './seamcall.ts';
import type { TdmrLimits } from './tdmr.ts';

/** One configurable CPUID leaf: EAX, EBX, ECX, EDX masks in two 64-bit values. */
export interface CpuidConfig {
  readonly leaf: bigint;
  readonly values: readonly [bigint, bigint];
}

/** struct tdx_sys_info: what the module says about itself. */
export interface TdxSysInfo {
  readonly version: { readonly major_version: number; readonly minor_version: number; readonly update_version: number };
  readonly features: { readonly tdx_features0: bigint };
  readonly tdmr: TdmrLimits;
  readonly td_ctrl: { readonly tdr_base_size: number; readonly tdcs_base_size: number; readonly tdvps_base_size: number };
  readonly td_conf: {
    readonly attributes_fixed0: bigint;
    readonly attributes_fixed1: bigint;
    readonly xfam_fixed0: bigint;
    readonly xfam_fixed1: bigint;
    readonly max_vcpus_per_td: number;
    readonly cpuid_configs: readonly CpuidConfig[];
  };
}

/** Room for CPUID configurations in the kernel's structure. */
const MAX_CPUID_CONFIGS = 128;

/** A failed group's errno. */
class ReadFailure {
  readonly errno: number;
  constructor(errno: number) {
    this.errno = errno;
  }
}

function* read(cpu: Cpu, field: bigint): Software<bigint> {
  const args: TdxModuleArgs = { rdx: field };
  const errno = yield* seamcall_prerr_ret(cpu, TDH.SYS_RD, args);
  if (errno !== 0) throw new ReadFailure(errno);
  return args.r8!;
}

function* readNumber(cpu: Cpu, field: bigint): Software<number> {
  return Number(yield* read(cpu, field));
}

/** get_tdx_sys_info(): one TDH.SYS.RD a field, group by group; an errno when one fails. */
export function* get_tdx_sys_info(cpu: Cpu): Software<TdxSysInfo | number> {
  try {
    const version = yield* readVersion(cpu);
    const features = { tdx_features0: yield* read(cpu, MD_SYS.TDX_FEATURES0) };
    const tdmr = yield* readTdmrLimits(cpu);
    const td_ctrl = {
      tdr_base_size: yield* readNumber(cpu, MD_SYS.TDR_BASE_SIZE),
      tdcs_base_size: yield* readNumber(cpu, MD_SYS.TDCS_BASE_SIZE),
      tdvps_base_size: yield* readNumber(cpu, MD_SYS.TDVPS_BASE_SIZE),
    };
    return { version, features, tdmr, td_ctrl, td_conf: yield* readTdConf(cpu) };
  } catch (failure) {
    if (failure instanceof ReadFailure) return failure.errno;
    throw failure;
  }
}

/** The version is printed even when it could not be read; then it shows zeros. */
function* readVersion(cpu: Cpu): Software<TdxSysInfo['version']> {
  const version = { major_version: 0, minor_version: 0, update_version: 0 };
  let failure: unknown;
  try {
    version.minor_version = yield* readNumber(cpu, MD_SYS.MINOR_VERSION);
    version.major_version = yield* readNumber(cpu, MD_SYS.MAJOR_VERSION);
    version.update_version = yield* readNumber(cpu, MD_SYS.UPDATE_VERSION);
  } catch (exception) {
    failure = exception;
  }
  const { major_version, minor_version, update_version } = version;
  if (!failure || failure instanceof ReadFailure) {
    cpu.printk(
      'info',
      'virt/tdx',
      `Module version: ${major_version}.${minor_version}.${String(update_version).padStart(2, '0')}`,
      version,
    );
  }
  if (failure) throw failure;
  return version;
}

function* readTdmrLimits(cpu: Cpu): Software<TdmrLimits> {
  return {
    max_tdmrs: yield* readNumber(cpu, MD_SYS.MAX_TDMRS),
    max_reserved_per_tdmr: yield* readNumber(cpu, MD_SYS.MAX_RESERVED_PER_TDMR),
    pamt_4k_entry_size: yield* readNumber(cpu, MD_SYS.PAMT_4K_ENTRY_SIZE),
    pamt_2m_entry_size: yield* readNumber(cpu, MD_SYS.PAMT_2M_ENTRY_SIZE),
    pamt_1g_entry_size: yield* readNumber(cpu, MD_SYS.PAMT_1G_ENTRY_SIZE),
  };
}

function* readTdConf(cpu: Cpu): Software<TdxSysInfo['td_conf']> {
  const limits = {
    attributes_fixed0: yield* read(cpu, MD_SYS.ATTRIBUTES_FIXED0),
    attributes_fixed1: yield* read(cpu, MD_SYS.ATTRIBUTES_FIXED1),
    xfam_fixed0: yield* read(cpu, MD_SYS.XFAM_FIXED0),
    xfam_fixed1: yield* read(cpu, MD_SYS.XFAM_FIXED1),
  };
  const count = yield* readNumber(cpu, MD_SYS.NUM_CPUID_CONFIG);
  const max_vcpus_per_td = yield* readNumber(cpu, MD_MAX_VCPUS_PER_TD);
  if (count > MAX_CPUID_CONFIGS) throw new ReadFailure(-EINVAL);
  const leaves: bigint[] = [];
  for (let i = 0n; i < count; i++) leaves.push(yield* read(cpu, MD_SYS.CPUID_CONFIG_LEAVES + i));
  const cpuid_configs: CpuidConfig[] = [];
  for (const [i, leaf] of leaves.entries()) {
    const first = MD_SYS.CPUID_CONFIG_VALUES + 2n * BigInt(i);
    cpuid_configs.push({ leaf, values: [yield* read(cpu, first), yield* read(cpu, first + 1n)] });
  }
  return { ...limits, max_vcpus_per_td, cpuid_configs };
}
