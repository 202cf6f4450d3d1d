import type { Software } from '../../platform/index.ts';
import { MSR } from '../../spec/msr.ts';
import { inStates, SEPT_ACCEPTS, SEPT_FLAG, SEPT_LEVEL, SEPT_STATE, septState } from '../../spec/sept.ts';
import { TDX_PAGE_ALREADY_ACCEPTED, TDX_PAGE_SIZE_MISMATCH, TDX_SUCCESS } from '../../spec/status.ts';
import { PAGE_4K } from '../operands.ts';
import { gpaAndLevel, isPrivateGpa, septRoot } from '../sept/access.ts';
import { acceptCounter, hpaOf, isLeaf, leafEntry, withAcceptCounter } from '../sept/entry.ts';
import { pagesAt } from '../sept/pages.ts';
import { type SeptPosition, walk, writeEntry } from '../sept/walk.ts';
import { ensure, INVALID } from '../status.ts';
import { type GuestContext, type GuestLeaf, TdcallStopped } from './context.ts';
import { lockEntry } from './memory.ts';
import { detailedViolation } from './violation.ts';

/** 4 KiB pages that are cleared before the module looks for a waiting interrupt. */
const PAGES_A_LOOK = 32;

/** TDG.MEM.PAGE.ACCEPT: the page is cleared under the TD's key and becomes usable. */
export const memPageAccept: GuestLeaf = function* (ctx) {
  const { tdcs, lp } = ctx;
  const target = gpaAndLevel(ctx.rcx, SEPT_LEVEL.PT_4K, SEPT_LEVEL.PD_2M);
  ensure(target !== null && isPrivateGpa(tdcs, target.gpa), INVALID.RCX);
  const found = walk(lp, septRoot(tdcs), target.gpa, target.level);
  if (found.level !== target.level) {
    ensure(!isAccessible(found), TDX_PAGE_ALREADY_ACCEPTED | BigInt(found.level));
    throw detailedViolation(ctx, 'ACCEPT', target, found);
  }
  const at = lockEntry(ctx, found);
  const state = septState(at.entry);
  ensure(
    isLeaf(at.entry) || state === SEPT_STATE.FREE || state === SEPT_STATE.REMOVED,
    TDX_PAGE_SIZE_MISMATCH | BigInt(at.level),
  );
  ensure(!isAccessible(at), TDX_PAGE_ALREADY_ACCEPTED | BigInt(at.level));
  if (!inStates(SEPT_ACCEPTS.TDG_MEM_PAGE_ACCEPT, state)) throw detailedViolation(ctx, 'ACCEPT', target, at);
  yield 'lock';
  yield* clear(ctx, at);
  writeEntry(lp, at, leafEntry(hpaOf(at), state === SEPT_STATE.PENDING ? SEPT_STATE.MAPPED : SEPT_STATE.EXPORTED_DIRTY));
  return TDX_SUCCESS;
};

const isAccessible = (at: SeptPosition): boolean => inStates(SEPT_FLAG.guest_accessible_leaf, septState(at.entry));

/** Zeros with MOVDIR64B. A 2 MiB page may take more than one TDCALL: the entry counts how far it got (layouts.md §9). */
function* clear({ lp }: GuestContext, at: SeptPosition): Software {
  const hpa = hpaOf(at);
  const total = pagesAt(at.level);
  for (let done = total === 1 ? 0 : acceptCounter(at.entry); done < total; ) {
    const pages = Math.min(PAGES_A_LOOK, total - done);
    lp.movdir64bFill(hpa + done * PAGE_4K, pages * PAGE_4K, at.keyId);
    done += pages;
    if (done === total) return;
    yield 'nmi-window';
    if (lp.rdmsr(MSR.IA32_INTR_PENDING) === 0n) continue;
    writeEntry(lp, at, withAcceptCounter(at.entry, done));
    throw new TdcallStopped(null);
  }
}
