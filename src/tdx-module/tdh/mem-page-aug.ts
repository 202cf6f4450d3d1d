import { PAMT_ENTRY } from '../../spec/layouts.ts';
import { SEPT_ACCEPTS, SEPT_STATE } from '../../spec/sept.ts';
import { PT } from '../../spec/states.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf, LeafContext } from '../context.ts';
import { pageAddress } from '../operands.ts';
import type { PamtEntry } from '../pamt/entry.ts';
import { findTdmr, LEVEL_4K, LEVEL_4K_PAGES, type PageLevel, pageIndex } from '../pamt/tdmr.ts';
import { lockPamt } from '../pamt/walk.ts';
import { openSept, type SeptPlan } from '../sept/access.ts';
import { leafEntry, levelSize } from '../sept/entry.ts';
import { pagesAt } from '../sept/pages.ts';
import { writeEntry } from '../sept/walk.ts';
import { ensure, METADATA_INCORRECT } from '../status.ts';

const PLAN: SeptPlan = { lowest: 0, highest: 1, tdr: 'shared', tree: 'shared', accepts: SEPT_ACCEPTS.TDH_MEM_PAGE_AUG };

/** TDH.MEM.PAGE.AUG: a page that its guest has yet to accept; nobody clears it before that. */
export const memPageAug: Leaf = function* (ctx) {
  const { tdr, at, level } = openSept(ctx, PLAN);
  const pa = pageAddress(ctx, 'R8', ctx.r8, levelSize(level));
  const entry = lockPamt(ctx, 'R8', pa, 'exclusive', PT.NDA, level as PageLevel);
  ensure(level === LEVEL_4K || isAllFree(ctx, entry, pa), METADATA_INCORRECT.R8);
  yield 'lock';
  writeEntry(ctx.lp, at, leafEntry(pa, SEPT_STATE.PENDING));
  tdr.addChildren(pagesAt(level));
  entry.assign(PT.REG, tdr.pa);
  return TDX_SUCCESS;
};

/** None of the 4 KiB pages of a 2 MiB page belongs to anybody. */
function isAllFree(ctx: LeafContext, { keyId }: PamtEntry, page: number): boolean {
  const tdmr = findTdmr(ctx.module.tdmrs, page)!;
  const count = LEVEL_4K_PAGES[1];
  const { u8 } = ctx.lp.load(
    tdmr.pamt[LEVEL_4K].base + pageIndex(tdmr, page, LEVEL_4K) * PAMT_ENTRY.SIZE,
    count * PAMT_ENTRY.SIZE,
    keyId,
  );
  for (let i = 0; i < count; i++) if (PAMT_ENTRY.PT.get(u8, i * PAMT_ENTRY.SIZE) !== PT.NDA) return false;
  return true;
}
