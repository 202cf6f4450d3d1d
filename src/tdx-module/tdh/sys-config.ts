import type { Software } from '../../platform/index.ts';
import { LIMIT } from '../../spec/layouts.ts';
import { KOT_STATE, SYS_STATE } from '../../spec/states.ts';
import { TDX_SUCCESS, TDX_SYS_BUSY, TDX_SYS_CONFIG_NOT_PENDING } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { privateKeyId, sharedAddress } from '../operands.ts';
import { tdmrEntry } from '../pamt/tdmr.ts';
import { ensure, INVALID } from '../status.ts';
import { baseTdCpuid } from '../sys/td-cpuid.ts';
import { checkTdmr, mergeCmrs } from '../sys/tdmr-checks.ts';
import { type CheckedTdmr, readTdmrInfo } from '../sys/tdmr-info.ts';

const allLpsInitialised = ({ module }: LeafContext): boolean =>
  module.lpInitDone.size >= (module.knobs['module.requireAllLpInit'] === 'true' ? module.sysInfo.totalLps : 1);

/** TDH.SYS.CONFIG: TDMRs, their PAMTs and the global KeyID. */
export function* sysConfig(ctx: LeafContext): Software<bigint> {
  const { module } = ctx;
  ctx.locks.acquire(module.globalLock, 'exclusive', TDX_SYS_BUSY);
  yield 'lock';
  ensure(module.state === SYS_STATE.SYSINIT_DONE, TDX_SYS_CONFIG_NOT_PENDING);
  ensure(allLpsInitialised(ctx), TDX_SYS_CONFIG_NOT_PENDING);
  const array = sharedAddress(ctx, 'RCX', ctx.rcx, LIMIT.TDMR_INFO_ALIGNMENT);
  ensure(ctx.rdx <= BigInt(LIMIT.MAX_TDMRS), INVALID.RDX);
  ensure(ctx.rdx >= 1n, INVALID.RDX);
  const keyId = privateKeyId(ctx, 'R8', ctx.r8);
  // Not undone when a later check fails: a retry with another KeyID leaves this one RESERVED for good (leaf-checks.md §1).
  module.kot.at(keyId).state = KOT_STATE.RESERVED;
  module.globalKeyId = keyId;

  const memory = mergeCmrs(module.sysInfo.cmrs);
  const accepted: CheckedTdmr[] = [];
  for (let i = 0; i < Number(ctx.rdx); i++) accepted.push(checkTdmr(ctx, readTdmrInfo(ctx, array, i), i, { accepted, memory }));

  module.tdmrs = accepted.map((tdmr) => tdmrEntry(tdmr, tdmr.pamt, tdmr.reserved));
  module.packageBitmap = 0n;
  module.native!.tdCpuid = baseTdCpuid(module.native!.cpuid);
  module.state = SYS_STATE.SYSCONFIG_DONE;
  return TDX_SUCCESS;
}
