import { LIMIT, TDCS, TDCS_PAGE } from '../../spec/layouts.ts';
import { inStates, septState } from '../../spec/sept.ts';
import { OPERAND, TDX_EPT_ENTRY_STATE_INCORRECT, TDX_EPT_WALK_FAILED } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { LockMode } from '../lock/sharex.ts';
import { BUSY, ensure, fail, INVALID } from '../status.ts';
import { lockTdr, openTd } from '../td/checks.ts';
import type { Tdcs } from '../td/tdcs.ts';
import type { Tdr } from '../td/tdr.ts';
import { entryView, infoWord, levelSize } from './entry.ts';
import { SeptEntryLock } from './entry-lock.ts';
import { reread, type SeptPosition, type SeptRoot, walk } from './walk.ts';

const LEVEL_MASK = 0x7n;
/** Bits 11:3 and 63:52 of a GPA-and-level operand. */
const RESERVED = 0xfff0_0000_0000_0ff8n;
const EPTP_LEVELS_SHIFT = 3n;
const EPTP_LEVELS_MASK = 0x7n;
/** Bit that makes a GPA shared, by TDCS.GPAW. */
export const sharedBit = (gpaw: number): number => (gpaw === 0 ? LIMIT.HPA_BITS - 5 : LIMIT.HPA_BITS - 1);

export const septRoot = (tdcs: Tdcs): SeptRoot => ({
  pa: tdcs.page(TDCS_PAGE.SEPT_ROOT),
  keyId: tdcs.keyId,
  level: Number((tdcs.get(TDCS.EPTP) >> EPTP_LEVELS_SHIFT) & EPTP_LEVELS_MASK),
});

/** Private: the shared bit and everything above the GPA width are clear. */
export const isPrivateGpa = (tdcs: Tdcs, gpa: number): boolean => gpa < 2 ** sharedBit(tdcs.get(TDCS.GPAW));

/** A GPA-and-level operand: reserved bits, level range, alignment; else null. */
export const gpaAndLevel = (
  value: bigint,
  lowest: number,
  highest: number,
): { readonly gpa: number; readonly level: number } | null => {
  const level = Number(value & LEVEL_MASK);
  const gpa = Number(value & ~LEVEL_MASK);
  return (value & RESERVED) === 0n && level >= lowest && level <= highest && gpa % levelSize(level) === 0 ? { gpa, level } : null;
};

/** What a leaf wants before it may touch an entry. */
export interface SeptPlan {
  /** Levels it knows; `'root'` is the level of the root page's entries. */
  readonly lowest: number;
  readonly highest: number | 'root';
  readonly tdr: LockMode;
  readonly tree: LockMode | 'none';
  /** S-EPT states it accepts: one of {@link SEPT_ACCEPTS}. */
  readonly accepts: number;
}

/** A TD and the entry that a leaf works on, locked, in a state that the leaf accepts. */
export interface SeptAccess {
  readonly tdr: Tdr;
  readonly tdcs: Tdcs;
  readonly gpa: number;
  readonly level: number;
  readonly at: SeptPosition;
  /** State index of the entry. */
  readonly state: number;
}

/** Ends the leaf with a status that comes with the entry in RCX and its information word in RDX. */
export const failWithEntry = (ctx: LeafContext, status: bigint, at: SeptPosition): never => {
  setEntryOutputs(ctx, at);
  return fail(status);
};

export const setEntryOutputs = (ctx: LeafContext, at: SeptPosition): void => {
  ctx.rcx = entryView(at);
  ctx.rdx = infoWord(at.entry, at.level);
};

/**
 * The order of every S-EPT leaf (leaf-checks.md §0): TDR, TD state, level and alignment, tree lock, GPA and walk, entry lock, entry state.
 * RCX is GPA and level; `tdrOperand` is what RDX says beside its flags.
 */
export function openSept(ctx: LeafContext, plan: SeptPlan, tdrOperand: bigint = ctx.rdx): SeptAccess {
  const operand = ctx.rcx;
  ctx.rcx = 0n;
  ctx.rdx = 0n;
  const tdr = lockTdr(ctx, 'RDX', tdrOperand, plan.tdr);
  const tdcs = openTd(ctx, tdr, plan.tdr === 'exclusive' ? 'none' : 'shared');
  const root = septRoot(tdcs);
  const target = gpaAndLevel(operand, plan.lowest, plan.highest === 'root' ? root.level : plan.highest);
  ensure(target !== null, INVALID.RCX);
  lockTree(ctx, tdcs, plan.tree);
  ensure(isPrivateGpa(tdcs, target.gpa), INVALID.RCX);
  const found = walk(ctx.lp, root, target.gpa, target.level);
  if (found.level !== target.level) failWithEntry(ctx, TDX_EPT_WALK_FAILED | OPERAND.RCX, found);
  const at = lockEntry(ctx, found);
  const state = septState(at.entry);
  if (!inStates(plan.accepts, state)) failWithEntry(ctx, TDX_EPT_ENTRY_STATE_INCORRECT | OPERAND.RCX, at);
  return { tdr, tdcs, gpa: target.gpa, level: target.level, at, state };
}

export const lockTree = (ctx: LeafContext, tdcs: Tdcs, mode: SeptPlan['tree']): void => {
  if (mode !== 'none') ctx.locks.acquire(tdcs.septLock, mode, BUSY.SEPT_TREE);
};

/** The host side of the entry lock; the entry as it is once locked. */
export const lockEntry = (ctx: LeafContext, at: SeptPosition): SeptPosition => {
  const lock = new SeptEntryLock(at.pa, at.keyId);
  if (lock.isTaken(ctx.lp)) setEntryOutputs(ctx, at);
  ctx.locks.acquire(lock, 'exclusive', BUSY.RCX);
  return reread(ctx.lp, at);
};
