import type { Software } from '../../platform/index.ts';
import { TDR } from '../../spec/layouts.ts';
import { LIFECYCLE, PT } from '../../spec/states.ts';
import { TDX_LIFECYCLE_STATE_INCORRECT, TDX_SUCCESS, TDX_TD_ASSOCIATED_PAGES_EXIST } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { pageAddress } from '../operands.ts';
import type { PamtEntry } from '../pamt/entry.ts';
import { clearPageReport, reportPage } from '../pamt/report.ts';
import { LEVEL_4K_PAGES, LEVEL_BYTES } from '../pamt/tdmr.ts';
import { walkPamt } from '../pamt/walk.ts';
import { ensure, INVALID, METADATA_INCORRECT } from '../status.ts';
import { lockOwner } from '../td/checks.ts';
import { Tdr } from '../td/tdr.ts';

/** TDH.PHYMEM.PAGE.RECLAIM: takes a page back from a TD in teardown. Nothing is scrubbed: TD bit and content stay. */
export function* phymemPageReclaim(ctx: LeafContext): Software<bigint> {
  const { rcx } = ctx;
  clearPageReport(ctx);
  const page = pageAddress(ctx, 'RCX', rcx);
  const entry = walkPamt(ctx, 'RCX', page, 'exclusive');
  yield 'lock';
  const { type } = entry;
  reportPage(ctx, entry);
  ensure(type !== PT.NDA && type !== PT.RSVD, METADATA_INCORRECT.RCX);
  ensure(page % LEVEL_BYTES[entry.level] === 0, INVALID.RCX);
  if (type === PT.TDR) reclaimTdr(new Tdr(ctx.lp, ctx.module.globalKeyId, page));
  else reclaimChild(ctx, entry);
  entry.free();
  return TDX_SUCCESS;
}

const reclaimTdr = (tdr: Tdr): void => {
  ensure(tdr.lifecycle === LIFECYCLE.TEARDOWN, TDX_LIFECYCLE_STATE_INCORRECT);
  ensure(tdr.getNumber(TDR.CHLDCNT) === 0, TDX_TD_ASSOCIATED_PAGES_EXIST);
};

const reclaimChild = (ctx: LeafContext, entry: PamtEntry): void => {
  const tdr = lockOwner(ctx, entry.owner, 'shared');
  ensure(tdr.lifecycle === LIFECYCLE.TEARDOWN, TDX_LIFECYCLE_STATE_INCORRECT);
  tdr.addChildren(-LEVEL_4K_PAGES[entry.level]);
};
