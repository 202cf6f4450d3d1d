import { inStates, SEPT_FLAG, septState } from '../../spec/sept.ts';
import { OPERAND, TDX_EPT_ENTRY_NOT_PRESENT, TDX_EPT_ENTRY_STATE_INCORRECT, TDX_TD_NON_DEBUG } from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { KeyedAddress } from '../operands.ts';
import { ensure, INVALID } from '../status.ts';
import { lockTdr, openTd } from '../td/checks.ts';
import { isDebugTd } from '../td/metadata.ts';
import type { Tdcs } from '../td/tdcs.ts';
import { failWithEntry, isPrivateGpa, lockEntry, lockTree, septRoot } from './access.ts';
import { hpaOf, isLeaf, levelSize } from './entry.ts';
import { type SeptPosition, walk } from './walk.ts';

const WORD = 8n;

/** Walks as deep as the S-EPT goes for this GPA. */
export const walkDown = (ctx: LeafContext, tdcs: Tdcs, gpa: number): SeptPosition => walk(ctx.lp, septRoot(tdcs), gpa, 0);

/** Where the GPA lies in the page of a leaf. */
export const hpaWithin = (at: SeptPosition, gpa: number): number => hpaOf(at) + (gpa % levelSize(at.level));

/** TDH.MEM.RD and WR: 8 bytes of a debug TD's private memory, found and locked. */
export function openDebugWord(ctx: LeafContext, accepts: number): KeyedAddress {
  const operand = ctx.rcx;
  const tdrOperand = ctx.rdx;
  ctx.rcx = 0n;
  ctx.rdx = 0n;
  const tdr = lockTdr(ctx, 'RDX', tdrOperand, 'shared');
  const tdcs = openTd(ctx, tdr, 'shared');
  ensure(isDebugTd(tdcs), TDX_TD_NON_DEBUG);
  ensure(operand % WORD === 0n, INVALID.RCX);
  lockTree(ctx, tdcs, 'shared');
  const gpa = Number(operand);
  ensure(isPrivateGpa(tdcs, gpa), INVALID.RCX);
  const found = walkDown(ctx, tdcs, gpa);
  const accessible = isLeaf(found.entry) && inStates(SEPT_FLAG.guest_accessible_leaf, septState(found.entry));
  if (!accessible) failWithEntry(ctx, TDX_EPT_ENTRY_NOT_PRESENT | OPERAND.RCX, found);
  const at = lockEntry(ctx, found);
  if (!inStates(accepts, septState(at.entry))) failWithEntry(ctx, TDX_EPT_ENTRY_STATE_INCORRECT | OPERAND.RCX, at);
  return { pa: hpaWithin(at, gpa), keyId: tdr.hkid };
}
