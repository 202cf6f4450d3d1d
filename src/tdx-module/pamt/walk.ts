import { PT } from '../../spec/states.ts';
import type { OperandName } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { LockMode } from '../lock/sharex.ts';
import { pageAddress } from '../operands.ts';
import { ADDR_RANGE, BUSY, ensure, METADATA_INCORRECT } from '../status.ts';
import { PamtEntry } from './entry.ts';
import { findTdmr, LEVEL_1G, LEVEL_4K, type PageLevel } from './tdmr.ts';

/**
 * The PAMT walk: shared locks on the parents, `mode` on the entry where it ends. It goes down while entries are NDA and above
 * `level`; so it may end above `level`, at a large page. Not in an initialised TDMR: `addrRange`; a lock taken: `busy`.
 */
export const walkPamt = (
  ctx: LeafContext,
  operand: OperandName,
  page: number,
  mode: LockMode,
  level: PageLevel = LEVEL_4K,
): PamtEntry => {
  const tdmr = findTdmr(ctx.module.tdmrs, page);
  ensure(tdmr !== undefined, ADDR_RANGE[operand]);
  for (let at: number = LEVEL_1G; ; at--) {
    const entry = new PamtEntry(ctx.lp, ctx.module.globalKeyId, tdmr, page, at as PageLevel);
    const isLast = at === level || entry.type !== PT.NDA;
    ctx.locks.acquire(entry.lock, isLast ? mode : 'shared', BUSY[operand]);
    if (isLast) return entry;
  }
};

/** The entry of an address that was checked: {@link walkPamt}, then level and type as wanted; else TDX_PAGE_METADATA_INCORRECT. */
export const lockPamt = (
  ctx: LeafContext,
  operand: OperandName,
  page: number,
  mode: LockMode,
  type: number,
  level: PageLevel = LEVEL_4K,
): PamtEntry => {
  const entry = walkPamt(ctx, operand, page, mode, level);
  ensure(entry.level === level && entry.type === type, METADATA_INCORRECT[operand]);
  return entry;
};

/** A page operand and its PAMT entry, locked. */
export interface LockedPage {
  readonly pa: number;
  readonly entry: PamtEntry;
}

/** A page operand: address check, then {@link lockPamt}. `lockPage(ctx, 'RCX', ctx.rcx, 'exclusive', PT.NDA)` is a new page. */
export const lockPage = (ctx: LeafContext, operand: OperandName, value: bigint, mode: LockMode, type: number): LockedPage => {
  const pa = pageAddress(ctx, operand, value);
  return { pa, entry: lockPamt(ctx, operand, pa, mode, type) };
};
