import type { Software } from '../../platform/index.ts';
import { LIMIT, TDCS, TDCS_PAGE, TDR } from '../../spec/layouts.ts';
import { OP_STATE } from '../../spec/op-state.ts';
import { SEPT } from '../../spec/sept.ts';
import { LIFECYCLE, PT } from '../../spec/states.ts';
import {
  TDX_OP_STATE_INCORRECT,
  TDX_SUCCESS,
  TDX_TD_FATAL,
  TDX_TD_KEYS_NOT_CONFIGURED,
  TDX_TDCX_NUM_INCORRECT,
} from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { PAGE_4K } from '../operands.ts';
import { lockPage } from '../pamt/walk.ts';
import { ensure } from '../status.ts';
import { lockTdr } from '../td/checks.ts';
import { Tdcs } from '../td/tdcs.ts';
import type { Tdr } from '../td/tdr.ts';

const ALL_ONES = (1n << 64n) - 1n;
const KEY_BYTES = 32;

/** What a new TDCX page is filled with, by index; zeros where nothing is said. L2 S-EPT roots are added with L2 VMs. */
const PAGE_CONTENT: ReadonlyMap<number, bigint> = new Map([
  [TDCS_PAGE.MSR_BITMAPS, ALL_ONES],
  [TDCS_PAGE.SEPT_ROOT, SEPT.FREE],
]);

/** TDH.MNG.ADDCX: one more control page for the TD, 6 to 9. */
export function* mngAddcx(ctx: LeafContext): Software<bigint> {
  const tdr = lockTdr(ctx, 'RDX', ctx.rdx, 'exclusive');
  ensure(tdr.get(TDR.FATAL) === 0, TDX_TD_FATAL);
  ensure(tdr.lifecycle === LIFECYCLE.KEYS_CONFIGURED, TDX_TD_KEYS_NOT_CONFIGURED);
  const index = tdr.get(TDR.NUM_TDCX);
  ensure(index < LIMIT.MAX_NUM_TDCX, TDX_TDCX_NUM_INCORRECT);
  const page = lockPage(ctx, 'RCX', ctx.rcx, 'exclusive', PT.NDA);
  yield 'lock';

  // The page is overwritten before the next checks can fail; its type stays NDA then (leaf-checks.md §2).
  ctx.lp.movdir64bFill(page.pa, PAGE_4K, tdr.hkid, PAGE_CONTENT.get(index) ?? 0n);
  if (index === LIMIT.MIN_NUM_TDCX - 1) initializeTdcs(ctx, tdr, page.pa);
  if (index >= LIMIT.MIN_NUM_TDCX) ensure(new Tdcs(tdr).opState === OP_STATE.UNINITIALIZED, TDX_OP_STATE_INCORRECT);

  tdr.setNumber(TDR.TDCX_PA.item(index), page.pa);
  tdr.set(TDR.NUM_TDCX, index + 1);
  tdr.addChildren(1);
  page.entry.assign(PT.TDCX, tdr.pa);
  return TDX_SUCCESS;
}

/** The TDCS is complete with this page: its key for migration bundles is drawn now. */
const initializeTdcs = (ctx: LeafContext, tdr: Tdr, lastPage: number): void => {
  const key = ctx.random(KEY_BYTES);
  tdr.setNumber(TDR.TDCX_PA.item(LIMIT.MIN_NUM_TDCX - 1), lastPage);
  new Tdcs(tdr).set(TDCS.MIG_ENC_KEY, key);
};
