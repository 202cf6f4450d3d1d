import { ensure, INVALID } from '../status.ts';
import type { GuestLeaf } from './context.ts';
import { readField, readTdField } from './metadata.ts';

/** TDG.VM.RD: one field of the TD. Version 1 also returns the next id. */
export const vmRd: GuestLeaf = function* (ctx) {
  ensure(ctx.rcx === 0n, INVALID.RCX);
  return readField(ctx, 'TD', ctx.version > 0, (element) => readTdField(ctx, element));
};
