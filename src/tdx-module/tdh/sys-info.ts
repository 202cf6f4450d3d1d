import type { Software } from '../../platform/index.ts';
import { cpuidConfig } from '../../spec/cpuid.ts';
import {
  ATTRIBUTES_FIXED0,
  ATTRIBUTES_FIXED1,
  CMR_INFO,
  CPUID_CONFIG,
  LIMIT,
  PAMT_ENTRY,
  TDSYSINFO_STRUCT,
  XFAM_FIXED0,
  XFAM_FIXED1,
} from '../../spec/layouts.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { TdxModule } from '../module.ts';
import { sharedAddress } from '../operands.ts';
import { ensure, INVALID } from '../status.ts';
import { IDENTITY, reportedConfig, STRUCTURE_BYTES } from '../sys/fields.ts';
import { ensureLpInit } from '../sys/lp-state.ts';

const CMR_ARRAY_BYTES = LIMIT.MAX_CMRS * CMR_INFO.SIZE;
const SYS_RD_SUPPORTED = 1;
const ANY_SUBLEAF = 0xffff_ffff;

/** TDH.SYS.INFO: TDSYSINFO_STRUCT and the CMR list into host memory. */
export function* sysInfo(ctx: LeafContext): Software<bigint> {
  ensureLpInit(ctx);
  const info = sharedAddress(ctx, 'RCX', ctx.rcx, LIMIT.TDSYSINFO_ALIGNMENT);
  ensure(ctx.rdx >= BigInt(TDSYSINFO_STRUCT.SIZE), INVALID.RDX);
  ctx.lp.storeBytes(info.pa, new Uint8Array(TDSYSINFO_STRUCT.SIZE), info.keyId);
  const cmrs = sharedAddress(ctx, 'R8', ctx.r8, LIMIT.CMR_INFO_ARRAY_ALIGNMENT);
  ensure(ctx.r9 >= BigInt(LIMIT.MAX_CMRS), INVALID.R9);
  ctx.lp.storeBytes(info.pa, sysInfoStruct(ctx.module), info.keyId);
  ctx.lp.storeBytes(cmrs.pa, cmrArray(ctx.module), cmrs.keyId);
  ctx.rdx = BigInt(TDSYSINFO_STRUCT.SIZE);
  ctx.r9 = BigInt(LIMIT.MAX_CMRS);
  return TDX_SUCCESS;
}

const sysInfoStruct = (module: TdxModule): Uint8Array => {
  const info = new Uint8Array(TDSYSINFO_STRUCT.SIZE);
  const S = TDSYSINFO_STRUCT;
  S.VENDOR_ID.set(info, IDENTITY.VENDOR_ID);
  S.BUILD_DATE.set(info, IDENTITY.BUILD_DATE);
  S.BUILD_NUM.set(info, IDENTITY.BUILD_NUM);
  S.MINOR_VERSION.set(info, IDENTITY.MINOR_VERSION);
  S.MAJOR_VERSION.set(info, IDENTITY.MAJOR_VERSION);
  S.SYS_RD.set(info, SYS_RD_SUPPORTED);
  S.MAX_TDMRS.set(info, LIMIT.MAX_TDMRS);
  S.MAX_RESERVED_PER_TDMR.set(info, LIMIT.MAX_RESERVED_PER_TDMR);
  S.PAMT_ENTRY_SIZE.set(info, PAMT_ENTRY.SIZE);
  S.TDCS_BASE_SIZE.set(info, STRUCTURE_BYTES.TDCS);
  S.TDVPS_BASE_SIZE.set(info, STRUCTURE_BYTES.TDVPS);
  S.ATTRIBUTES_FIXED0.set(info, ATTRIBUTES_FIXED0);
  S.ATTRIBUTES_FIXED1.set(info, ATTRIBUTES_FIXED1);
  S.XFAM_FIXED0.set(info, XFAM_FIXED0);
  S.XFAM_FIXED1.set(info, XFAM_FIXED1);
  S.NUM_CPUID_CONFIG.set(info, LIMIT.NUM_CPUID_CONFIG);
  cpuidConfig().forEach((entry, index) => {
    const at = S.CPUID_CONFIGS.at(index);
    CPUID_CONFIG.LEAF.set(info, entry.leaf, at);
    CPUID_CONFIG.SUB_LEAF.set(info, entry.subleaf ?? ANY_SUBLEAF, at);
    const values = reportedConfig(module, index);
    [CPUID_CONFIG.EAX, CPUID_CONFIG.EBX, CPUID_CONFIG.ECX, CPUID_CONFIG.EDX].forEach((register, i) => {
      register.set(info, values[i]!, at);
    });
  });
  return info;
};

const cmrArray = ({ sysInfo: { cmrs } }: TdxModule): Uint8Array => {
  const array = new Uint8Array(CMR_ARRAY_BYTES);
  cmrs.forEach(({ base, size }, index) => {
    CMR_INFO.BASE.setNumber(array, base, index * CMR_INFO.SIZE);
    CMR_INFO.SIZE_IN_BYTES.setNumber(array, size, index * CMR_INFO.SIZE);
  });
  return array;
};
