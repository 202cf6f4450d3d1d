import { MSR } from '../../spec/msr.ts';
import { SEPT_ACCEPTS, SEPT_UNBLOCKED } from '../../spec/sept.ts';
import { PT } from '../../spec/states.ts';
import { TDX_INTERRUPTED_RESTARTABLE, TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf, LeafContext } from '../context.ts';
import type { PageLevel } from '../pamt/tdmr.ts';
import { lockPage } from '../pamt/walk.ts';
import { openSept, type SeptPlan } from '../sept/access.ts';
import { hpaOf, leafEntry, levelSize, nonLeafEntry } from '../sept/entry.ts';
import { ENTRIES, lockMapped, setPageRange } from '../sept/pages.ts';
import { ensureTracked } from '../sept/tracking.ts';
import { writeEntry } from '../sept/walk.ts';
import { ensure, INVALID } from '../status.ts';

const PLAN: SeptPlan = { lowest: 1, highest: 2, tdr: 'shared', tree: 'shared', accepts: SEPT_ACCEPTS.TDH_MEM_PAGE_DEMOTE };
const FLAGS = 0xfffn;
const L2_SEPT_ADD_MODE = 1n;
const ENTRIES_A_LINE = 8;
const LINE = 64;

/** TDH.MEM.PAGE.DEMOTE: one large page becomes 512 smaller ones behind a new S-EPT page. */
export const memPageDemote: Leaf = function* (ctx) {
  const flags = ctx.rdx & FLAGS;
  const tdrOperand = ctx.rdx & ~FLAGS;
  ensure((flags & ~L2_SEPT_ADD_MODE) === 0n, INVALID.RDX);
  const access = openSept(ctx, PLAN, tdrOperand);
  const { tdr, at, level, state } = access;
  const large = lockMapped(ctx, access);
  ensureTracked(ctx, access, large);
  const septPage = lockPage(ctx, 'R8', ctx.r8, 'exclusive', PT.NDA);
  yield 'lock';
  ensure(ctx.lp.rdmsr(MSR.IA32_INTR_PENDING) === 0n, TDX_INTERRUPTED_RESTARTABLE);
  const hpa = hpaOf(at);
  fillChildren(ctx, septPage.pa, tdr.hkid, hpa, level - 1, SEPT_UNBLOCKED.get(state) ?? state);
  large.free();
  setPageRange(ctx, hpa, (level - 1) as PageLevel, PT.REG, tdr.pa);
  writeEntry(ctx.lp, at, nonLeafEntry(septPage.pa));
  septPage.entry.assign(PT.EPT, tdr.pa);
  tdr.addChildren(1);
  return TDX_SUCCESS;
};

/** Writes 512 leaves over a new S-EPT page, line by line with MOVDIR64B. */
function fillChildren({ lp }: LeafContext, page: number, keyId: number, hpa: number, level: number, state: number): void {
  for (let i = 0; i < ENTRIES; i += ENTRIES_A_LINE) {
    const { u64 } = lp.platform.core.mailbox;
    for (let j = 0; j < ENTRIES_A_LINE; j++) u64[j] = leafEntry(hpa + (i + j) * levelSize(level), state);
    lp.movdir64b(page + (i / ENTRIES_A_LINE) * LINE, keyId);
  }
}
