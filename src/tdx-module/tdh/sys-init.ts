import type { Software } from '../../platform/index.ts';
import { MSR } from '../../spec/msr.ts';
import { SYS_STATE } from '../../spec/states.ts';
import {
  TDX_INCORRECT_MSR_VALUE,
  TDX_LIMIT_CPUID_MAXVAL_SET,
  TDX_SUCCESS,
  TDX_SYS_BUSY,
  TDX_SYS_INCOMPATIBLE_SIGSTRUCT,
  TDX_SYS_INIT_NOT_PENDING,
} from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure, INVALID } from '../status.ts';
import { enumerateCpuid } from '../sys/cpuid-checks.ts';
import { HANDOFF } from '../sys/fields.ts';
import { readKeyPartition } from '../sys/key-partition.ts';
import { checkFeatureMsrs, checkVmxMsrs, cpuidIsLimited, recordMsrs } from '../sys/msr-checks.ts';
import { NativeState } from '../sys/native-state.ts';
import { checkCmrs, checkSeamCapabilities, checkSmrrs } from '../sys/range-checks.ts';

/** TDH.SYS.INIT: platform-wide initialisation, once, on one LP. */
export function* sysInit(ctx: LeafContext): Software<bigint> {
  const { module, lp } = ctx;
  const rcx = ctx.rcx;
  for (const output of ['rcx', 'rdx', 'r8', 'r9', 'r10'] as const) ctx[output] = 0n;
  ctx.locks.acquire(module.globalLock, 'exclusive', TDX_SYS_BUSY);
  yield 'lock';
  ensure(rcx === 0n, INVALID.RCX);
  ensure(module.state === SYS_STATE.SYSINIT_PENDING, TDX_SYS_INIT_NOT_PENDING);

  checkFeatureMsrs(ctx);
  ensure(!cpuidIsLimited(ctx), TDX_LIMIT_CPUID_MAXVAL_SET);
  const cpuid = enumerateCpuid(ctx);
  checkVmxMsrs(ctx);
  const keyIds = readKeyPartition(ctx);
  const cacheBlocks = lp.rdmsr(MSR.IA32_WBINVDP);
  ensure(lp.rdmsr(MSR.IA32_WBNOINVDP) === cacheBlocks, TDX_INCORRECT_MSR_VALUE | BigInt(MSR.IA32_WBNOINVDP));
  checkCmrs(ctx, keyIds.shift);
  checkSmrrs(ctx);
  checkSeamCapabilities(ctx);
  ensure(HANDOFF.MIN_UPDATE_HV <= HANDOFF.MODULE_HV, TDX_SYS_INCOMPATIBLE_SIGSTRUCT);
  ctx.random(8);

  module.keyIds = keyIds;
  module.kot.reset(keyIds.firstPrivate, keyIds.lastPrivate);
  module.native = new NativeState({
    cpuid,
    msrs: recordMsrs(ctx),
    cacheBlocks: Number(cacheBlocks),
    tscAdjust: lp.rdmsr(MSR.IA32_TSC_ADJUST),
  });
  module.state = SYS_STATE.SYSINIT_DONE;
  return TDX_SUCCESS;
}
