import { TDVPS } from '../../spec/layouts.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import { ensure, INVALID } from '../status.ts';
import type { GuestLeaf } from './context.ts';

const SUPERVISOR = 1n;
const USER = 2n;

/** TDG.VP.CPUIDVE.SET: every CPUID of a privilege becomes #VE. */
export const vpCpuidveSet: GuestLeaf = function* (ctx) {
  const flags = ctx.rcx;
  ensure((flags & ~(SUPERVISOR | USER)) === 0n, INVALID.RCX);
  ctx.tdvps.set(TDVPS.CPUID_SUPERVISOR_VE, (flags & SUPERVISOR) === 0n ? 0 : 1);
  ctx.tdvps.set(TDVPS.CPUID_USER_VE, (flags & USER) === 0n ? 0 : 1);
  return TDX_SUCCESS;
};
