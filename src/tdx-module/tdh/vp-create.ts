import { TDVPS } from '../../spec/layouts.ts';
import { PT, VCPU_STATE } from '../../spec/states.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { PAGE_4K } from '../operands.ts';
import { lockPage } from '../pamt/walk.ts';
import { lockTdr, openTd } from '../td/checks.ts';
import { Tdvps } from '../td/tdvps.ts';
import { NO_LP } from '../td/vcpu.ts';

/** TDH.VP.CREATE: the root page of a VCPU. */
export const vpCreate: Leaf = function* (ctx) {
  const tdr = lockTdr(ctx, 'RDX', ctx.rdx, 'shared');
  openTd(ctx, tdr, 'shared');
  const page = lockPage(ctx, 'RCX', ctx.rcx, 'exclusive', PT.NDA);
  yield 'lock';
  ctx.lp.movdir64bFill(page.pa, PAGE_4K, tdr.hkid);
  const tdvps = new Tdvps(ctx.lp, tdr.hkid, page.pa);
  tdvps.set(TDVPS.VCPU_STATE, VCPU_STATE.UNINITIALIZED);
  tdvps.set(TDVPS.ASSOC_LPID, NO_LP);
  tdvps.set(TDVPS.NUM_TDVPS_PAGES, 1);
  tdvps.setNumber(TDVPS.TDVPS_PAGE_PA.item(0), page.pa);
  page.entry.assign(PT.TDVPR, tdr.pa);
  tdr.addChildren(1);
  return TDX_SUCCESS;
};
