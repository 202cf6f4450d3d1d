import { type Thread, tdh_phymem_page_reclaim, tdx_quirk_reset_page } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { freePage } from '../pages.ts';

/** tdx_reclaim_page: the module gives a page back. A status other than 0 means it did not. */
export function* reclaimPage(current: Thread, page: number): Software<bigint> {
  const { status } = yield* tdh_phymem_page_reclaim(current.cpu, page);
  if (status === 0n) tdx_quirk_reset_page(current.cpu, page);
  else warn(current, page, status);
  return status;
}

/** tdx_reclaim_control_page: a page that the module does not give back is leaked. */
export function* reclaimControlPage(current: Thread, page: number): Software {
  if ((yield* reclaimPage(current, page)) === 0n) freePage(current, page);
}

function warn(current: Thread, page: number, status: bigint): void {
  const facts = { page: `0x${page.toString(16)}`, status: `0x${status.toString(16)}` };
  current.cpu.printk('err', 'kvm_intel', `TDH_PHYMEM_PAGE_RECLAIM(${facts.page}) failed: ${facts.status}`, facts);
}
