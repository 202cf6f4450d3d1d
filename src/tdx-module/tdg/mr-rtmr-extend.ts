import { TDCS } from '../../spec/layouts.ts';
import { OPERAND, TDX_OPERAND_BUSY_HOST_PRIORITY, TDX_SUCCESS } from '../../spec/status.ts';
import { Sha384 } from '../hash/sha384.ts';
import { BUSY, ensure, INVALID } from '../status.ts';
import type { GuestLeaf } from './context.ts';
import { privateOperand } from './memory.ts';

const ALIGNMENT = 64n;
const DIGEST = 48;

/** TDG.MR.RTMR.EXTEND: RTMR := SHA-384(RTMR || 48 bytes). */
export const mrRtmrExtend: GuestLeaf = function* (ctx) {
  const { tdcs, lp, rcx, rdx } = ctx;
  ensure(rcx % ALIGNMENT === 0n, INVALID.RCX);
  const data = privateOperand(ctx, 'RCX', rcx, 'read');
  ensure(rdx < BigInt(TDCS.RTMR.count), INVALID.RDX);
  ctx.locks.acquire(tdcs.rtmrLock, 'exclusive', BUSY.RTMR, TDX_OPERAND_BUSY_HOST_PRIORITY | OPERAND.RTMR);
  yield 'lock';
  const register = TDCS.RTMR.item(Number(rdx));
  const extended = new Sha384()
    .update(tdcs.get(register))
    .update(lp.loadBytes(data.pa, DIGEST, data.keyId))
    .digest();
  tdcs.set(register, extended);
  tdcs.set(TDCS.TEE_INFO_HASH_VALID, 0);
  return TDX_SUCCESS;
};
