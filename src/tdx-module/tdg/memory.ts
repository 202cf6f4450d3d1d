import { SHARED_SLOT } from '../../platform/index.ts';
import { EXIT_REASON } from '../../spec/exits.ts';
import { TDCS } from '../../spec/layouts.ts';
import { inStates, SEPT, SEPT_FLAG, septState } from '../../spec/sept.ts';
import { OPERAND, type OperandName, TDX_OPERAND_BUSY_HOST_PRIORITY } from '../../spec/status.ts';
import type { KeyedAddress } from '../operands.ts';
import { isPrivateGpa, septRoot, sharedBit } from '../sept/access.ts';
import { hpaOf, levelSize } from '../sept/entry.ts';
import { SeptEntryLock } from '../sept/entry-lock.ts';
import { reread, type SeptPosition, walk } from '../sept/walk.ts';
import { BUSY, ensure, INVALID } from '../status.ts';
import { privateViolation, violationExit } from '../td-exit/ept-violation.ts';
import { injectEptVe } from '../td-exit/inject.ts';
import { type GuestContext, TdcallStopped } from './context.ts';

export type Access = 'read' | 'write';

const ACCESS_QUALIFICATION = { read: SEPT.R, write: SEPT.W } as const;
const PERMISSIONS_SHIFT = 3n;
const RWX = 0x7n;
const GUEST_RIGHTS = { read: SEPT_FLAG.guest_accessible_leaf, write: SEPT_FLAG.guest_fully_accessible_leaf } as const;

/** Qualification that the module builds for its own access: what was wanted, and the entry's permissions (td-exits.md §6). */
const builtQualification = (access: Access, entry: bigint): bigint =>
  ACCESS_QUALIFICATION[access] | ((entry & RWX) << PERMISSIONS_SHIFT);

/** A memory operand that must be private: its host address, or a TD exit or #VE as for the guest's own access. */
export function privateOperand(ctx: GuestContext, operand: OperandName, value: bigint, access: Access): KeyedAddress {
  const { tdcs, lp, run, exit } = ctx;
  const gpa = Number(value);
  ensure(isPrivateGpa(tdcs, gpa), INVALID[operand]);
  const at = walk(lp, septRoot(tdcs), gpa, 0);
  if (inStates(GUEST_RIGHTS[access], septState(at.entry))) {
    return { pa: hpaOf(at) + (gpa % levelSize(at.level)), keyId: tdcs.keyId };
  }
  const qualification = builtQualification(access, at.entry);
  throw new TdcallStopped(
    privateViolation(run, { ...exit, reason: EXIT_REASON.EPT_VIOLATION, gpa: value, qualification }, qualification, 0n),
  );
}

/** A memory operand that may be shared too. */
export function anyOperand(ctx: GuestContext, operand: OperandName, value: bigint, access: Access): KeyedAddress {
  const shared = sharedBit(ctx.tdcs.get(TDCS.GPAW));
  ensure(value >> BigInt(shared + 1) === 0n, INVALID[operand]);
  return ctx.run.isShared(value) ? sharedOperand(ctx, value, access) : privateOperand(ctx, operand, value, access);
}

function sharedOperand({ lp, run, exit }: GuestContext, value: bigint, access: Access): KeyedAddress {
  const { core } = lp.platform;
  const page = Number(value & ~0xfffn);
  if (core.septWalk(lp.id, SHARED_SLOT, lp.package, page, access === 'write') === 0) {
    return { pa: core.walkHpa + Number(value & 0xfffn), keyId: 0 };
  }
  const qualification = builtQualification(access, core.walkEntry);
  if ((core.walkEntry & SEPT.SVE) !== 0n)
    throw new TdcallStopped(violationExit({ ...exit, reason: EXIT_REASON.EPT_VIOLATION, gpa: value, qualification }));
  injectEptVe(run, exit, qualification, value, 0n);
  throw new TdcallStopped(null);
}

/** The guest side of the lock in an S-EPT entry; the entry as it is once locked. */
export const lockEntry = (ctx: GuestContext, found: SeptPosition): SeptPosition => {
  const lock = new SeptEntryLock(found.pa, found.keyId);
  ctx.locks.acquire(lock, 'exclusive', BUSY.RCX, TDX_OPERAND_BUSY_HOST_PRIORITY | OPERAND.RCX);
  return reread(ctx.lp, found);
};
