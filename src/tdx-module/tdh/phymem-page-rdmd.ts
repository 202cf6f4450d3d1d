import type { Software } from '../../platform/index.ts';
import { PT } from '../../spec/states.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { pageAddress } from '../operands.ts';
import { clearPageReport, reportPage } from '../pamt/report.ts';
import { walkPamt } from '../pamt/walk.ts';

const WITH_EPOCH: readonly number[] = [PT.REG, PT.EPT];

/** TDH.PHYMEM.PAGE.RDMD: the PAMT entry of a page of any type. */
export function* phymemPageRdmd(ctx: LeafContext): Software<bigint> {
  const { rcx } = ctx;
  clearPageReport(ctx);
  const page = pageAddress(ctx, 'RCX', rcx);
  const entry = walkPamt(ctx, 'RCX', page, 'shared');
  yield 'lock';
  reportPage(ctx, entry);
  if (WITH_EPOCH.includes(entry.type)) ctx.r9 = entry.bepoch;
  return TDX_SUCCESS;
}
