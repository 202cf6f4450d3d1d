import type { LogicalProcessor } from '../../platform/index.ts';
import { SEPT } from '../../spec/sept.ts';
import type { Lock, LockMode, LockResult, LockSide } from '../lock/sharex.ts';

/**
 * The lock inside an S-EPT entry: TDEL, with TDHP as host priority (lifecycle.md §8). A host that meets it taken leaves TDHP behind, and
 * guests then get nothing until the host has had it.
 */
export class SeptEntryLock implements Lock {
  readonly #pa: number;
  readonly #keyId: number;

  constructor(pa: number, keyId: number) {
    this.#pa = pa;
    this.#keyId = keyId;
  }

  isTaken(lp: LogicalProcessor): boolean {
    return (lp.load64(this.#pa, this.#keyId) & SEPT.TDEL) !== 0n;
  }

  tryAcquire(lp: LogicalProcessor, _mode: LockMode, side: LockSide): LockResult {
    const entry = lp.load64(this.#pa, this.#keyId);
    if ((entry & SEPT.TDEL) !== 0n) {
      if (side === 'host') lp.store64(this.#pa, entry | SEPT.TDHP, this.#keyId);
      return 'busy';
    }
    if (side === 'guest' && (entry & SEPT.TDHP) !== 0n) return 'host-priority';
    lp.store64(this.#pa, (entry & ~SEPT.TDHP) | SEPT.TDEL, this.#keyId);
    return 'ok';
  }

  release(lp: LogicalProcessor): void {
    lp.store64(this.#pa, lp.load64(this.#pa, this.#keyId) & ~SEPT.TDEL, this.#keyId);
  }
}
