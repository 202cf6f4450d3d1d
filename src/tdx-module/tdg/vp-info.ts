import { TDCS, TDVPS } from '../../spec/layouts.ts';
import { TDX_SUCCESS } from '../../spec/status.ts';
import type { GuestLeaf } from './context.ts';

const GPA_WIDTH = [48n, 52n] as const;
const SYS_RD_AVAILABLE = 1n;

/** TDG.VP.INFO: what a guest has to know first. */
export const vpInfo: GuestLeaf = function* (ctx) {
  const { tdcs, tdvps } = ctx;
  ctx.rcx = GPA_WIDTH[tdcs.get(TDCS.GPAW)]!;
  ctx.rdx = tdcs.get(TDCS.ATTRIBUTES);
  ctx.r8 = BigInt(tdcs.get(TDCS.NUM_VCPUS)) | (BigInt(tdcs.get(TDCS.MAX_VCPUS)) << 32n);
  ctx.r9 = BigInt(tdvps.get(TDVPS.VCPU_INDEX));
  ctx.r10 = SYS_RD_AVAILABLE;
  ctx.r11 = 0n;
  return TDX_SUCCESS;
};
