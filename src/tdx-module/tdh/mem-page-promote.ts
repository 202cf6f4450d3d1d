import { MSR } from '../../spec/msr.ts';
import { inStates, SEPT, SEPT_ACCEPTS, SEPT_FLAG, septState } from '../../spec/sept.ts';
import { PT } from '../../spec/states.ts';
import { OPERAND, TDX_EPT_INVALID_PROMOTE_CONDITIONS, TDX_INTERRUPTED_RESTARTABLE, TDX_SUCCESS } from '../../spec/status.ts';
import type { Leaf } from '../context.ts';
import type { PageLevel } from '../pamt/tdmr.ts';
import { lockPamt } from '../pamt/walk.ts';
import { openSept, type SeptPlan } from '../sept/access.ts';
import { hpaOf, leafEntry, levelSize } from '../sept/entry.ts';
import { lockMapped, readSeptPage, setPageRange } from '../sept/pages.ts';
import { ensureTracked } from '../sept/tracking.ts';
import { writeEntry } from '../sept/walk.ts';
import { BUSY, ensure } from '../status.ts';

const PLAN: SeptPlan = { lowest: 1, highest: 2, tdr: 'shared', tree: 'shared', accepts: SEPT_ACCEPTS.TDH_MEM_PAGE_PROMOTE };

/** TDH.MEM.PAGE.PROMOTE: 512 small pages that lie in a row become one; their S-EPT page is free again. */
export const memPagePromote: Leaf = function* (ctx) {
  const access = openSept(ctx, PLAN);
  const { tdr, at, level } = access;
  const septPage = lockMapped(ctx, access);
  ensureTracked(ctx, access, septPage);
  const septPa = hpaOf(at);
  const { hpa, state } = mergeable(readSeptPage(ctx, septPa, at.keyId), level - 1);
  const merged = lockPamt(ctx, 'RCX', hpa, 'exclusive', PT.NDA, level as PageLevel);
  yield 'lock';
  ensure(ctx.lp.rdmsr(MSR.IA32_INTR_PENDING) === 0n, TDX_INTERRUPTED_RESTARTABLE);
  setPageRange(ctx, hpa, (level - 1) as PageLevel, PT.NDA, 0);
  merged.assign(PT.REG, tdr.pa);
  writeEntry(ctx.lp, at, leafEntry(hpa, state));
  septPage.free();
  tdr.addChildren(-1);
  ctx.rcx = BigInt(septPa);
  return TDX_SUCCESS;
};

/** All children unlocked, MAPPED or all PENDING, contiguous and aligned to the larger size: where they start, and their state. */
function mergeable(entries: BigUint64Array, childLevel: number): { hpa: number; state: number } {
  const first = entries[0]!;
  const state = septState(first);
  const hpa = hpaOf({ entry: first, level: childLevel });
  entries.forEach((entry, i) => {
    ensure((entry & SEPT.TDEL) === 0n, BUSY.RCX);
    const fits = septState(entry) === state && hpaOf({ entry, level: childLevel }) === hpa + i * levelSize(childLevel);
    ensure(fits, TDX_EPT_INVALID_PROMOTE_CONDITIONS | OPERAND.RCX);
  });
  const suits = inStates(SEPT_FLAG.mapped_or_pending, state) && hpa % levelSize(childLevel + 1) === 0;
  ensure(suits, TDX_EPT_INVALID_PROMOTE_CONDITIONS | OPERAND.RCX);
  return { hpa, state };
}
