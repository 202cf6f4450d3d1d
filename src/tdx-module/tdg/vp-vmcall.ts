import { GPR } from '../../platform/index.ts';
import { ensure, INVALID } from '../status.ts';
import { type GuestLeaf, TdcallStopped } from './context.ts';

const bit = (register: number): bigint => 1n << BigInt(register);
const NEVER = bit(GPR.RAX) | bit(GPR.RCX) | bit(GPR.RSP);
const MASK_BITS = 32n;

/** TDG.VP.VMCALL: leaves to the host with the registers of the mask. */
export const vpVmcall: GuestLeaf = function* (ctx) {
  const mask = ctx.rcx;
  ensure(mask >> MASK_BITS === 0n && (mask & NEVER) === 0n, INVALID.RCX);
  ensure(!ctx.run.keepsRbp || (mask & bit(GPR.RBP)) === 0n, INVALID.RCX);
  throw new TdcallStopped({ kind: 'tdvmcall', mask }, true);
};
