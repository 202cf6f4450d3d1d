import { PAMT_ENTRY } from '../../spec/layouts.ts';
import { SEPT } from '../../spec/sept.ts';
import { PT } from '../../spec/states.ts';
import type { LeafContext } from '../context.ts';
import { PAGE_4K } from '../operands.ts';
import { PamtEntry } from '../pamt/entry.ts';
import { findTdmr, LEVEL_4K, type PageLevel, pageIndex } from '../pamt/tdmr.ts';
import { lockPamt } from '../pamt/walk.ts';
import type { SeptAccess } from './access.ts';
import { hpaOf, isLeaf } from './entry.ts';

/** Entries in an S-EPT page. */
export const ENTRIES = 512;

/** 4 KiB pages that a leaf at this level holds: what it counts in CHLDCNT. */
export const pagesAt = (level: number): number => ENTRIES ** level;

/** PAMT entry, locked exclusive, of what the S-EPT entry points to: the page of a leaf, the S-EPT page of a non-leaf. */
export const lockMapped = (ctx: LeafContext, { at }: SeptAccess): PamtEntry =>
  isLeaf(at.entry)
    ? lockPamt(ctx, 'RCX', hpaOf(at), 'exclusive', PT.REG, at.level as PageLevel)
    : lockPamt(ctx, 'RCX', hpaOf(at), 'exclusive', PT.EPT);

/** The same PAMT entry without its lock: for leaves that hold the tree lock exclusive and only touch BEPOCH. */
export const mappedPage = (ctx: LeafContext, { at }: SeptAccess): PamtEntry => {
  const pa = hpaOf(at);
  const level = isLeaf(at.entry) ? (at.level as PageLevel) : LEVEL_4K;
  return new PamtEntry(ctx.lp, ctx.module.globalKeyId, findTdmr(ctx.module.tdmrs, pa)!, pa, level);
};

/** Makes a page an S-EPT page: every entry FREE. MOVDIR64B, because the page was somebody else's under another KeyID. */
export const clearSeptPage = (ctx: LeafContext, pa: number, keyId: number): void =>
  ctx.lp.movdir64bFill(pa, PAGE_4K, keyId, SEPT.FREE);

/** All 512 entries of an S-EPT page. */
export const readSeptPage = (ctx: LeafContext, pa: number, keyId: number): BigUint64Array =>
  ctx.lp.load(pa, PAGE_4K, keyId).u64.slice(0, ENTRIES);

/** Gives the 512 PAMT entries below a larger page their type and owner at once; nobody can hold them while the larger page is locked. */
export function setPageRange(ctx: LeafContext, page: number, level: PageLevel, type: number, owner: number): void {
  const { lp, module } = ctx;
  const tdmr = findTdmr(module.tdmrs, page)!;
  const bytes = new Uint8Array(ENTRIES * PAMT_ENTRY.SIZE);
  for (let at = 0; at < bytes.length; at += PAMT_ENTRY.SIZE) {
    PAMT_ENTRY.PT.set(bytes, type, at);
    PAMT_ENTRY.OWNER.set(bytes, owner / PAGE_4K, at);
  }
  lp.storeBytes(tdmr.pamt[level].base + pageIndex(tdmr, page, level) * PAMT_ENTRY.SIZE, bytes, module.globalKeyId);
}
