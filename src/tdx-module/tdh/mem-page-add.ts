import { SEPT_ACCEPTS, SEPT_STATE } from '../../spec/sept.ts';
import { PT } from '../../spec/states.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import { extendMrtd } from '../measurement/mrtd.ts';
import { pageAddBlock } from '../measurement/mrtd-blocks.ts';
import { PAGE_4K, sharedAddress } from '../operands.ts';
import { lockPage } from '../pamt/walk.ts';
import { openSept, type SeptPlan } from '../sept/access.ts';
import { leafEntry } from '../sept/entry.ts';
import { writeEntry } from '../sept/walk.ts';

/** No tree lock: the exclusive TDR keeps everybody else out. */
const PLAN: SeptPlan = { lowest: 0, highest: 0, tdr: 'exclusive', tree: 'none', accepts: SEPT_ACCEPTS.TDH_MEM_PAGE_ADD };

/** TDH.MEM.PAGE.ADD: copies a host page into the TD, maps it and measures its address. */
export const memPageAdd: Leaf = function* (ctx) {
  const { tdr, tdcs, gpa, at } = openSept(ctx, PLAN);
  const source = sharedAddress(ctx, 'R9', ctx.r9, PAGE_4K);
  const target = lockPage(ctx, 'R8', ctx.r8, 'exclusive', PT.NDA);
  yield 'lock';
  ctx.lp.movdir64bCopy(target.pa, tdr.hkid, source.pa, source.keyId, PAGE_4K);
  writeEntry(ctx.lp, at, leafEntry(target.pa, SEPT_STATE.MAPPED));
  extendMrtd(tdcs, pageAddBlock(gpa));
  tdr.addChildren(1);
  target.entry.assign(PT.REG, tdr.pa);
  return TDX_SUCCESS;
};
