import type { Software } from '../../platform/index.ts';
import { raw } from '../../spec/field.ts';
import { ATTRIBUTES, CONFIG_FLAGS, TD_CTLS, TD_PARAMS, TDCS, TDCS_PAGE } from '../../spec/layouts.ts';
import { OP_STATE } from '../../spec/op-state.ts';
import { TDX_LIMIT_CPUID_MAXVAL_SET, TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { SHA384_STATE_BYTES, Sha384 } from '../hash/sha384.ts';
import { ensure } from '../status.ts';
import { cpuidIsLimited } from '../sys/msr-checks.ts';
import { lockTdr, openTd } from '../td/checks.ts';
import { buildTdCpuid, type TdCpuid } from '../td/cpuid.ts';
import { HP_LOCK_TIMEOUT_US } from '../td/metadata.ts';
import { initMsrBitmaps } from '../td/msr-bitmap.ts';
import { readTdParams, type TdParams } from '../td/params.ts';
import { checkParams, checkParamsAfterCpuid } from '../td/params-checks.ts';
import type { Tdcs } from '../td/tdcs.ts';
import { initTsc } from '../td/time.ts';
import { initVirtualMsrs } from '../td/virtual-msrs.ts';
import { xsaveLayout } from '../td/xfam.ts';

const FIRST_EPOCH = 1n;
const MRTD_STATE = raw(TDCS.MRTD_SHA384_STATE.offset, SHA384_STATE_BYTES);

/** TDH.MNG.INIT: TD_PARAMS become the TD's immutable configuration; MRTD starts. */
export function* mngInit(ctx: LeafContext): Software<bigint> {
  const tdrOperand = ctx.rcx;
  ctx.rcx = 0n;
  ensure(!cpuidIsLimited(ctx), TDX_LIMIT_CPUID_MAXVAL_SET);
  const tdr = lockTdr(ctx, 'RCX', tdrOperand, 'exclusive');
  yield 'lock';
  const tdcs = openTd(ctx, tdr, 'none');
  const params = readTdParams(ctx);
  checkParams(ctx, tdr, params);
  const cpuid = buildTdCpuid(ctx, params);
  checkParamsAfterCpuid(ctx, params, cpuid);

  initControls(tdcs, params);
  initXsave(ctx, tdcs, params);
  initTsc(ctx, tdcs, params.tscFrequency);
  initMsrBitmaps(tdcs);
  initVirtualMsrs(ctx.module, tdcs, params, cpuid, (params.attributes & ATTRIBUTES.PKS) !== 0n);
  storeCpuid(tdcs, cpuid);
  initMeasurements(tdcs, params);
  tdcs.opState = OP_STATE.INITIALIZED;
  return TDX_SUCCESS;
}

const initControls = (tdcs: Tdcs, params: TdParams): void => {
  const { attributes, configFlags } = params;
  tdcs.set(TDCS.ATTRIBUTES, attributes);
  tdcs.set(TDCS.XFAM, params.xfam);
  tdcs.set(TDCS.MAX_VCPUS, params.maxVcpus);
  tdcs.set(TDCS.NUM_L2_VMS, params.numL2Vms);
  tdcs.set(TDCS.CONFIG_FLAGS, configFlags);
  tdcs.set(TDCS.GPAW, (configFlags & CONFIG_FLAGS.GPAW) === 0n ? 0 : 1);
  tdcs.set(TDCS.EPTP, BigInt(tdcs.page(TDCS_PAGE.SEPT_ROOT)) | params.eptpControls);
  tdcs.set(TDCS.TD_CTLS, (attributes & ATTRIBUTES.SEPT_VE_DISABLE) === 0n ? 0n : TD_CTLS.PENDING_VE_DISABLE);
  tdcs.set(TDCS.HP_LOCK_TIMEOUT, HP_LOCK_TIMEOUT_US.DEFAULT);
  tdcs.set(TDCS.TD_EPOCH, FIRST_EPOCH);
};

const initXsave = (ctx: LeafContext, tdcs: Tdcs, { xfam }: TdParams): void => {
  const { offsets, size } = xsaveLayout(ctx.module, xfam);
  tdcs.set(TDCS.XBUFF_SIZE, size);
  offsets.forEach((offset, component) => {
    tdcs.set(TDCS.XBUFF_OFFSETS.item(component), offset);
  });
};

const storeCpuid = (tdcs: Tdcs, { values }: TdCpuid): void => {
  values.forEach((registers, index) => {
    tdcs.set(TDCS.CPUID_VALID.item(index), registers ? 1 : 0);
    if (registers) tdcs.set(TDCS.CPUID_VALUES.item(index), new Uint8Array(Uint32Array.from(registers).buffer));
  });
};

/** RTMRs are zero since the page was added. */
const initMeasurements = (tdcs: Tdcs, { bytes }: TdParams): void => {
  tdcs.set(TDCS.MRCONFIGID, TD_PARAMS.MRCONFIGID.get(bytes));
  tdcs.set(TDCS.MROWNER, TD_PARAMS.MROWNER.get(bytes));
  tdcs.set(TDCS.MROWNERCONFIG, TD_PARAMS.MROWNERCONFIG.get(bytes));
  tdcs.set(MRTD_STATE, new Sha384().export());
};
