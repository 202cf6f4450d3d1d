import { LIMIT, TDVPS } from '../../spec/layouts.ts';
import { PT, VCPU_STATE } from '../../spec/states.ts';
import { TDX_SUCCESS, TDX_TDCX_NUM_INCORRECT, TDX_VCPU_STATE_INCORRECT } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { PAGE_4K } from '../operands.ts';
import { lockPage } from '../pamt/walk.ts';
import { ensure } from '../status.ts';
import { lockVcpu, openTd } from '../td/checks.ts';

/** TDH.VP.ADDCX: one more control page for a VCPU. */
export const vpAddcx: Leaf = function* (ctx) {
  const { tdr, tdvps } = lockVcpu(ctx, 'RDX', ctx.rdx, 'exclusive');
  openTd(ctx, tdr, 'shared');
  ensure(tdvps.get(TDVPS.VCPU_STATE) === VCPU_STATE.UNINITIALIZED, TDX_VCPU_STATE_INCORRECT);
  const count = tdvps.get(TDVPS.NUM_TDVPS_PAGES);
  ensure(count < LIMIT.MAX_NUM_TDVPS_PAGES, TDX_TDCX_NUM_INCORRECT);
  const page = lockPage(ctx, 'RCX', ctx.rcx, 'exclusive', PT.NDA);
  yield 'lock';
  ctx.lp.movdir64bFill(page.pa, PAGE_4K, tdr.hkid);
  tdvps.setNumber(TDVPS.TDVPS_PAGE_PA.item(count), page.pa);
  tdvps.set(TDVPS.NUM_TDVPS_PAGES, count + 1);
  page.entry.assign(PT.TDCX, tdr.pa);
  tdr.addChildren(1);
  return TDX_SUCCESS;
};
