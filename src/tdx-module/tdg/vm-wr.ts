import { ensure, INVALID } from '../status.ts';
import { tdStructOf } from '../td/metadata.ts';
import type { GuestLeaf } from './context.ts';
import { writeField } from './metadata.ts';

/** TDG.VM.WR: what the guest may decide about its TD. */
export const vmWr: GuestLeaf = function* (ctx) {
  ensure(ctx.rcx === 0n, INVALID.RCX);
  return writeField(ctx, 'TD', (field) => tdStructOf(ctx.tdcs, field));
};
