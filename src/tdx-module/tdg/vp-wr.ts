import { ensure, INVALID } from '../status.ts';
import type { GuestLeaf } from './context.ts';
import { writeField } from './metadata.ts';

/** TDG.VP.WR: what the guest may decide about the VCPU that asks. */
export const vpWr: GuestLeaf = function* (ctx) {
  ensure(ctx.rcx === 0n, INVALID.RCX);
  return writeField(ctx, 'VP', () => ctx.tdvps);
};
