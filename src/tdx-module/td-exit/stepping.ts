import { GPR } from '../../platform/index.ts';
import { EXIT_REASON } from '../../spec/exits.ts';
import { TD_VMCS, TDCS, TDVPS } from '../../spec/layouts.ts';
import { inStates, SEPT_FLAG, septState } from '../../spec/sept.ts';
import { LAST_TD_EXIT, STEPPING, VCPU_STATE } from '../../spec/states.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import { septRoot } from '../sept/access.ts';
import { walk } from '../sept/walk.ts';
import { BUSY } from '../status.ts';
import type { Tdcs } from '../td/tdcs.ts';
import type { Tdvps } from '../td/tdvps.ts';
import type { TdRun } from './run.ts';

const PAGE_MASK = 0xfffn;
const QUALIFICATION_WRITE = 2n;

/**
 * Zero-step guard (td-exits.md §5): a host that makes the same instruction fault again and again, without letting it finish, learns
 * addresses. After {@link STEPPING.EPF_THRESHOLD} faults at one RIP the GPAs are listed, and VP.ENTER wants them mapped first.
 */
export function logFault(run: TdRun, gpa: bigint): void {
  const { tdvps } = run;
  if (hasProgressed(run)) resetFaults(tdvps);
  const count = tdvps.get(TDVPS.POSSIBLY_EPF_STEPPING);
  if (count < STEPPING.EPF_THRESHOLD) {
    tdvps.set(TDVPS.POSSIBLY_EPF_STEPPING, count + 1);
    return;
  }
  const page = gpa & ~PAGE_MASK;
  const listed = listedFaults(tdvps);
  if (listed.includes(page) || listed.length === STEPPING.EPF_GPA_LIST) return;
  tdvps.set(TDVPS.LAST_EPF_GPA_LIST.item(listed.length), page);
  tdvps.set(TDVPS.LAST_EPF_GPA_LIST_IDX, listed.length + 1);
}

/** Every VM exit: an instruction that moved on ends the suspicion. */
export function watchProgress(run: TdRun): void {
  if (hasProgressed(run)) resetFaults(run.tdvps);
}

const hasProgressed = ({ tdvps, entryRip }: TdRun): boolean => tdvps.get(TD_VMCS.GUEST_RIP) !== entryRip;

function resetFaults(tdvps: Tdvps): void {
  if (tdvps.get(TDVPS.POSSIBLY_EPF_STEPPING) !== 0) tdvps.set(TDVPS.POSSIBLY_EPF_STEPPING, 0);
  if (tdvps.get(TDVPS.LAST_EPF_GPA_LIST_IDX) !== 0) tdvps.set(TDVPS.LAST_EPF_GPA_LIST_IDX, 0);
}

const listedFaults = (tdvps: Tdvps): bigint[] =>
  Array.from({ length: tdvps.get(TDVPS.LAST_EPF_GPA_LIST_IDX) }, (_, i) => tdvps.get(TDVPS.LAST_EPF_GPA_LIST.item(i)));

/** The first listed GPA that the guest still could not use, or null. Takes the S-EPT tree lock while it looks. */
export function unresolvedFault(ctx: LeafContext, tdcs: Tdcs, tdvps: Tdvps): bigint | null {
  const listed = listedFaults(tdvps);
  if (listed.length === 0) return null;
  const lock = tdcs.septLock;
  ctx.locks.acquire(lock, 'exclusive', BUSY.SEPT_TREE);
  const root = septRoot(tdcs);
  const usable = SEPT_FLAG.guest_accessible_leaf | SEPT_FLAG.any_pending_and_guest_acceptable;
  const found = listed.find((gpa) => !inStates(usable, septState(walk(ctx.lp, root, Number(gpa), 0).entry)));
  ctx.locks.release(lock);
  return found ?? null;
}

/** VP.ENTER answers an EPT violation without running the TD: RAX. */
export function refuseEntry(ctx: LeafContext, tdcs: Tdcs, tdvps: Tdvps, gpa: bigint): bigint {
  const { gpr } = ctx.lp;
  const { RSP, RBP } = GPR;
  const kept = [gpr[RSP]!, gpr[RBP]!] as const;
  gpr.fill(0n);
  gpr[RSP] = kept[0];
  gpr[RBP] = kept[1];
  ctx.rcx = QUALIFICATION_WRITE;
  ctx.r8 = gpa;
  tdvps.set(TDVPS.VCPU_STATE, VCPU_STATE.READY);
  tdvps.set(TDVPS.LAST_TD_EXIT, LAST_TD_EXIT.ASYNC_FAULT);
  tdcs.add(TDCS.REFCOUNT.item(Number(tdvps.get(TDVPS.VCPU_EPOCH) & 1n)), -1);
  return TDX_SUCCESS | BigInt(EXIT_REASON.EPT_VIOLATION);
}
