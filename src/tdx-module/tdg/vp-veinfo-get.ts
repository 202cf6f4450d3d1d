import { VE_INFO } from '../../spec/layouts.ts';
import { TDX_NO_VALID_VE_INFO, TDX_SUCCESS } from '../../spec/status.ts';
import { ensure } from '../status.ts';
import type { GuestLeaf } from './context.ts';

/** TDG.VP.VEINFO.GET: what the last #VE was about; the next one may then come. */
export const vpVeinfoGet: GuestLeaf = function* (ctx) {
  const { tdvps } = ctx;
  ctx.rcx = 0n;
  ctx.rdx = 0n;
  ctx.r8 = 0n;
  ctx.r9 = 0n;
  ctx.r10 = 0n;
  ensure(tdvps.get(VE_INFO.VALID) !== 0, TDX_NO_VALID_VE_INFO);
  ctx.rcx = BigInt(tdvps.get(VE_INFO.EXIT_REASON));
  ctx.rdx = tdvps.get(VE_INFO.EXIT_QUALIFICATION);
  ctx.r8 = tdvps.get(VE_INFO.GLA);
  ctx.r9 = tdvps.get(VE_INFO.GPA);
  ctx.r10 = BigInt(tdvps.get(VE_INFO.INSTRUCTION_LENGTH)) | (BigInt(tdvps.get(VE_INFO.INSTRUCTION_INFORMATION)) << 32n);
  tdvps.set(VE_INFO.VALID, 0);
  return TDX_SUCCESS;
};
