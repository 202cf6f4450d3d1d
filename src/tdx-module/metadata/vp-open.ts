import { TDVPS } from '../../spec/layouts.ts';
import { VCPU_STATE } from '../../spec/states.ts';
import { TDX_VCPU_STATE_INCORRECT } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { ensure } from '../status.ts';
import { lockVcpu, openTd } from '../td/checks.ts';
import { isDebugTd } from '../td/metadata.ts';
import type { Tdvps } from '../td/tdvps.ts';
import { associate, ensurePages } from '../td/vcpu.ts';

const READABLE: readonly number[] = [VCPU_STATE.READY, VCPU_STATE.DISABLED];
const WRITABLE: readonly number[] = [VCPU_STATE.READY];

/** What TDH.VP.RD and WR check before the field; the VCPU gets bound to this LP on the way, for good (leaf-checks.md §3). */
export function openVpMetadata(ctx: LeafContext, access: 'read' | 'write'): { readonly tdvps: Tdvps; readonly isDebug: boolean } {
  const { tdr, tdvps } = lockVcpu(ctx, 'RCX', ctx.rcx, 'shared');
  const tdcs = openTd(ctx, tdr, 'shared');
  ensurePages(tdcs, tdvps);
  const allowed = access === 'read' ? READABLE : WRITABLE;
  ensure(allowed.includes(tdvps.get(TDVPS.VCPU_STATE)), TDX_VCPU_STATE_INCORRECT);
  associate(ctx, tdcs, tdvps);
  return { tdvps, isDebug: isDebugTd(tdcs) };
}
