import { SEPT, SEPT_ACCEPTS, SEPT_STATE, septState } from '../../spec/sept.ts';
import { OPERAND, TDX_EPT_PAGE_NOT_FREE, TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { openSept, type SeptPlan } from '../sept/access.ts';
import { hpaOf } from '../sept/entry.ts';
import { lockMapped, readSeptPage } from '../sept/pages.ts';
import { ensureTracked } from '../sept/tracking.ts';
import { writeEntry } from '../sept/walk.ts';
import { ensure } from '../status.ts';

const PLAN: SeptPlan = {
  lowest: 1,
  highest: 'root',
  tdr: 'shared',
  tree: 'exclusive',
  accepts: SEPT_ACCEPTS.TDH_MEM_SEPT_REMOVE,
};

/** TDH.MEM.SEPT.REMOVE: takes an empty S-EPT page back. */
export const memSeptRemove: Leaf = function* (ctx) {
  const access = openSept(ctx, PLAN);
  const page = lockMapped(ctx, access);
  ensureTracked(ctx, access, page);
  yield 'lock';
  const hpa = hpaOf(access.at);
  const empty = readSeptPage(ctx, hpa, access.at.keyId).every((entry) => septState(entry) === SEPT_STATE.FREE);
  ensure(empty, TDX_EPT_PAGE_NOT_FREE | OPERAND.RCX);
  writeEntry(ctx.lp, access.at, SEPT.FREE);
  page.free();
  access.tdr.addChildren(-1);
  ctx.rcx = BigInt(hpa);
  return TDX_SUCCESS;
};
