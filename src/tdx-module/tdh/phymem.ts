import type { LeafTable } from '../context.ts';
import { phymemCacheWb } from './phymem-cache-wb.ts';
import { phymemPageRdmd } from './phymem-page-rdmd.ts';
import { phymemPageReclaim } from './phymem-page-reclaim.ts';
import { phymemPageWbinvd } from './phymem-page-wbinvd.ts';

/** TDH.PHYMEM.* */
export const phymemLeaves: LeafTable = {
  PHYMEM_CACHE_WB: phymemCacheWb,
  PHYMEM_PAGE_RDMD: phymemPageRdmd,
  PHYMEM_PAGE_RECLAIM: phymemPageReclaim,
  PHYMEM_PAGE_WBINVD: phymemPageWbinvd,
};
