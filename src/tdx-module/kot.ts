import { KOT_STATE } from '../spec/states.ts';
import { GlobalSharex } from './lock/sharex.ts';

export interface KotEntry {
  /** {@link KOT_STATE}. */
  state: number;
  /** Packages whose caches may still hold lines of this KeyID, bit = package. */
  wbinvdBitmap: bigint;
}

/** Key ownership table: who owns a private KeyID, and which packages still have to write it back. */
export class KeyOwnershipTable {
  readonly lock = new GlobalSharex();
  readonly #entries = new Map<number, KotEntry>();

  /** Sized once the KeyID partition is known (SYS.INIT). */
  reset(firstPrivate: number, lastPrivate: number): void {
    this.#entries.clear();
    for (let keyId = firstPrivate; keyId <= lastPrivate; keyId++)
      this.#entries.set(keyId, { state: KOT_STATE.FREE, wbinvdBitmap: 0n });
  }

  /** The entry of a KeyID that was checked to be private. */
  at(keyId: number): KotEntry {
    return this.#entries.get(keyId)!;
  }

  /** KeyIDs in a state, ascending. */
  inState(state: number): number[] {
    return [...this.#entries].filter(([, entry]) => entry.state === state).map(([keyId]) => keyId);
  }
}
