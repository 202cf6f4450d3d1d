import { readVpField } from '../metadata/vp-fields.ts';
import { ensure, INVALID } from '../status.ts';
import type { GuestLeaf } from './context.ts';
import { readField } from './metadata.ts';

/** TDG.VP.RD: one field of the VCPU that asks; returns the next id too. */
export const vpRd: GuestLeaf = function* (ctx) {
  ensure(ctx.rcx === 0n, INVALID.RCX);
  return readField(ctx, 'VP', true, (element) => readVpField(ctx.tdvps, element));
};
