import { raw } from '../../spec/field.ts';
import { TDCS } from '../../spec/layouts.ts';
import { SHA384_STATE_BYTES, Sha384 } from '../hash/sha384.ts';
import type { Tdcs } from '../td/tdcs.ts';

/** The running SHA-384 of MRTD where it lives: in the TDCS, between leaves. */
const STATE = raw(TDCS.MRTD_SHA384_STATE.offset, SHA384_STATE_BYTES);

/** Hashes whole 128-byte blocks into MRTD. */
export function extendMrtd(tdcs: Tdcs, ...blocks: readonly Uint8Array[]): void {
  const hash = Sha384.import(tdcs.get(STATE));
  for (const block of blocks) hash.update(block);
  tdcs.set(STATE, hash.export());
}

/** Ends the hash: MRTD has its final value. */
export const finalizeMrtd = (tdcs: Tdcs): void => tdcs.set(TDCS.MRTD, Sha384.import(tdcs.get(STATE)).digest());
