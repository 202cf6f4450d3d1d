import type { LogicalProcessor } from '../../platform/index.ts';
import { ensure, fail } from '../status.ts';
import type { Lock, LockMode, LockSide } from './sharex.ts';

interface Held {
  readonly lock: Lock;
  readonly mode: LockMode;
}

/**
 * The locks one leaf holds. The dispatcher releases them, newest first, when the leaf *returns a status*; a machine check
 * leaves them as they are in simulated memory, because silicon that stops inside SEAM unlocks nothing.
 */
export class LockScope {
  readonly #lp: LogicalProcessor;
  readonly #side: LockSide;
  readonly #held: Held[] = [];

  constructor(lp: LogicalProcessor, side: LockSide = 'host') {
    this.#lp = lp;
    this.#side = side;
  }

  /** Takes the lock or ends the leaf with `busy` (`hostPriority` when the host goes first; a guest-side status). */
  acquire(lock: Lock, mode: LockMode, busy: bigint, hostPriority = busy): void {
    const result = lock.tryAcquire(this.#lp, mode, this.#side);
    if (result === 'host-priority') fail(hostPriority);
    ensure(result === 'ok', busy);
    this.#held.push({ lock, mode });
  }

  /** Releases one lock before the leaf ends. */
  release(lock: Lock): void {
    const index = this.#held.findLastIndex((held) => held.lock === lock);
    const [held] = this.#held.splice(index, 1);
    held!.lock.release(this.#lp, held!.mode);
  }

  releaseAll(): void {
    for (let held = this.#held.pop(); held; held = this.#held.pop()) held.lock.release(this.#lp, held.mode);
  }
}
