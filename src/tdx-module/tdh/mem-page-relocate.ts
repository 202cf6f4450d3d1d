import { SEPT_ACCEPTS, SEPT_UNBLOCKED } from '../../spec/sept.ts';
import { PT } from '../../spec/states.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { PAGE_4K, pageAddress } from '../operands.ts';
import { lockPamt } from '../pamt/walk.ts';
import { openSept, type SeptPlan } from '../sept/access.ts';
import { hpaOf, isPending, leafEntry } from '../sept/entry.ts';
import { lockMapped } from '../sept/pages.ts';
import { ensureTracked } from '../sept/tracking.ts';
import { writeEntry } from '../sept/walk.ts';
import { ensure, INVALID } from '../status.ts';

const PLAN: SeptPlan = { lowest: 0, highest: 0, tdr: 'shared', tree: 'shared', accepts: SEPT_ACCEPTS.TDH_MEM_PAGE_RELOCATE };

/** TDH.MEM.PAGE.RELOCATE: another physical page behind the same GPA. A pending page has no content to move. */
export const memPageRelocate: Leaf = function* (ctx) {
  const access = openSept(ctx, PLAN);
  const { tdr, at, state } = access;
  const source = hpaOf(at);
  const target = pageAddress(ctx, 'R8', ctx.r8);
  ensure(target !== source, INVALID.R8);
  const page = lockMapped(ctx, access);
  ensureTracked(ctx, access, page);
  const newPage = lockPamt(ctx, 'R8', target, 'exclusive', PT.NDA);
  yield 'lock';
  if (!isPending(at.entry)) ctx.lp.movdir64bCopy(target, tdr.hkid, source, tdr.hkid, PAGE_4K);
  writeEntry(ctx.lp, at, leafEntry(target, SEPT_UNBLOCKED.get(state) ?? state));
  newPage.assign(PT.REG, tdr.pa);
  page.free();
  ctx.rcx = BigInt(source);
  return TDX_SUCCESS;
};
