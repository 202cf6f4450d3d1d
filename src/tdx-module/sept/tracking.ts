import { TDCS } from '../../spec/layouts.ts';
import { inOpStates, OP_STATE_TRACKED } from '../../spec/op-state.ts';
import { inStates, SEPT_FLAG } from '../../spec/sept.ts';
import { OPERAND, TDX_GPA_RANGE_NOT_BLOCKED, TDX_TLB_TRACKING_NOT_DONE } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { PamtEntry } from '../pamt/entry.ts';
import { ensure } from '../status.ts';
import type { Tdcs } from '../td/tdcs.ts';
import { failWithEntry, type SeptAccess } from './access.ts';

const MIGRATION_FLAG = 1n << 63n;

/** VCPUs that entered in epochs of this parity and have not left. */
export const refcount = (tdcs: Tdcs, parity: bigint): number => tdcs.get(TDCS.REFCOUNT.item(Number(parity)));

/** Can no TLB hold a translation from before the block? (lifecycle.md §7) */
export function isTracked(tdcs: Tdcs, bepoch: bigint): boolean {
  if ((bepoch & MIGRATION_FLAG) !== 0n) return false;
  const epoch = tdcs.get(TDCS.TD_EPOCH);
  return bepoch === epoch - 1n ? refcount(tdcs, bepoch & 1n) === 0 : bepoch < epoch - 1n;
}

/** TLBs matter only once VCPUs can run. */
export const needsTracking = (tdcs: Tdcs): boolean => inOpStates(OP_STATE_TRACKED, tdcs.opState);

/** The TLB tracking check of leaves that take a translation away: blocked first, then tracked. */
export function ensureTracked(ctx: LeafContext, { tdcs, state, at }: SeptAccess, page: PamtEntry): void {
  if (!inStates(SEPT_FLAG.tlb_tracking_required, state) || !needsTracking(tdcs)) return;
  if (!inStates(SEPT_FLAG.any_blocked, state)) failWithEntry(ctx, TDX_GPA_RANGE_NOT_BLOCKED | OPERAND.RCX, at);
  ensure(isTracked(tdcs, page.bepoch), TDX_TLB_TRACKING_NOT_DONE | OPERAND.RCX);
}
