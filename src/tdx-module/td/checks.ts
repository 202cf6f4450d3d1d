import { LIMIT, TDR } from '../../spec/layouts.ts';
import { inOpStates, OP_STATE_ALLOWED } from '../../spec/op-state.ts';
import { LIFECYCLE, PT } from '../../spec/states.ts';
import {
  type OperandName,
  TDX_OP_STATE_INCORRECT,
  TDX_TD_FATAL,
  TDX_TD_KEYS_NOT_CONFIGURED,
  TDX_TDCS_NOT_ALLOCATED,
} from '../../spec/status.ts';
import type { LeafContext } from '../context.ts';
import type { LockMode } from '../lock/sharex.ts';
import { lockPage, lockPamt } from '../pamt/walk.ts';
import { BUSY, ensure } from '../status.ts';
import { Tdcs } from './tdcs.ts';
import { Tdr } from './tdr.ts';
import { Tdvps } from './tdvps.ts';

/** An explicit TDR operand: page check, PAMT walk, lock, type. */
export const lockTdr = (ctx: LeafContext, operand: OperandName, value: bigint, mode: LockMode): Tdr =>
  new Tdr(ctx.lp, ctx.module.globalKeyId, lockPage(ctx, operand, value, mode, PT.TDR).pa);

/** The TDR found through a page's owner: only the lock can fail, with TDX_OPERAND_BUSY | TDR. */
export const lockOwner = (ctx: LeafContext, owner: number, mode: LockMode): Tdr => {
  lockPamt(ctx, 'TDR', owner, mode, PT.TDR);
  return new Tdr(ctx.lp, ctx.module.globalKeyId, owner);
};

/** A VCPU and its TD. */
export interface Vcpu {
  readonly tdr: Tdr;
  readonly tdvps: Tdvps;
}

/** An explicit TDVPR operand with `mode`, then its TD's TDR, shared. */
export const lockVcpu = (ctx: LeafContext, operand: OperandName, value: bigint, mode: LockMode): Vcpu => {
  const { pa, entry } = lockPage(ctx, operand, value, mode, PT.TDVPR);
  const tdr = lockOwner(ctx, entry.owner, 'shared');
  return { tdr, tdvps: new Tdvps(ctx.lp, tdr.hkid, pa) };
};

/** Leaves that OP_STATE_ALLOWED knows, without their TDH prefix. */
type OpStateLeaf = keyof typeof OP_STATE_ALLOWED;

const opStateLeaf = (ctx: LeafContext): OpStateLeaf => `TDH_${ctx.name}` as OpStateLeaf;

/**
 * The TD state check after a TDR is locked (leaf-checks.md §0): fatal, keys, TDCX pages, op-state lock unless `'none'`,
 * op-state as the table allows for this leaf (leaves that are not in the table do not check it).
 */
export const openTd = (ctx: LeafContext, tdr: Tdr, opLock: LockMode | 'none'): Tdcs => {
  ensure(tdr.get(TDR.FATAL) === 0, TDX_TD_FATAL);
  ensure(tdr.lifecycle === LIFECYCLE.KEYS_CONFIGURED, TDX_TD_KEYS_NOT_CONFIGURED);
  ensure(tdr.get(TDR.NUM_TDCX) >= LIMIT.MIN_NUM_TDCX, TDX_TDCS_NOT_ALLOCATED);
  const tdcs = new Tdcs(tdr);
  if (opLock !== 'none') ctx.locks.acquire(tdcs.opStateLock, opLock, BUSY.OP_STATE);
  checkOpState(ctx, tdcs);
  return tdcs;
};

/** The op-state part of {@link openTd} alone. */
export const checkOpState = (ctx: LeafContext, tdcs: Tdcs): void => {
  const allowed = OP_STATE_ALLOWED[opStateLeaf(ctx)] as number | undefined;
  if (allowed !== undefined) ensure(inOpStates(allowed, tdcs.opState), TDX_OP_STATE_INCORRECT);
};
