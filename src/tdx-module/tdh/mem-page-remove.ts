import { SEPT, SEPT_ACCEPTS } from '../../spec/sept.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { openSept, type SeptPlan } from '../sept/access.ts';
import { hpaOf } from '../sept/entry.ts';
import { lockMapped, pagesAt } from '../sept/pages.ts';
import { ensureTracked } from '../sept/tracking.ts';
import { writeEntry } from '../sept/walk.ts';

const PLAN: SeptPlan = { lowest: 0, highest: 2, tdr: 'shared', tree: 'shared', accepts: SEPT_ACCEPTS.TDH_MEM_PAGE_REMOVE };

/** TDH.MEM.PAGE.REMOVE: unmaps a page. Its content stays in memory under the TD's key; clearing is the host's business. */
export const memPageRemove: Leaf = function* (ctx) {
  const access = openSept(ctx, PLAN);
  const page = lockMapped(ctx, access);
  ensureTracked(ctx, access, page);
  yield 'lock';
  writeEntry(ctx.lp, access.at, SEPT.FREE);
  access.tdr.addChildren(-pagesAt(access.level));
  page.free();
  ctx.rcx = BigInt(hpaOf(access.at));
  return TDX_SUCCESS;
};
