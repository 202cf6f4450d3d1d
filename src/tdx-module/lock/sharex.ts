import type { LogicalProcessor } from '../../platform/index.ts';

export type LockMode = 'exclusive' | 'shared';
/** Whose attempt it is: locks with host priority let the host overtake the guest. */
export type LockSide = 'host' | 'guest';
/** `host-priority`: free, but the host has failed on it before and goes first. */
export type LockResult = 'ok' | 'busy' | 'host-priority';

/** All module locks are try-locks: a failure answers at once. */
export interface Lock {
  tryAcquire(lp: LogicalProcessor, mode: LockMode, side: LockSide): LockResult;
  release(lp: LogicalProcessor, mode: LockMode): void;
}

const EXCLUSIVE = 1;
const HOST_PRIORITY = 2;
const ONE_SHARER = 4;

/** The 16-bit sharex word: bit 0 exclusive, bit 1 host priority, bits 15:2 number of sharers (layouts.md §8). */
abstract class Sharex implements Lock {
  readonly #hostPriority: boolean;

  constructor(hostPriority: boolean) {
    this.#hostPriority = hostPriority;
  }

  protected abstract read(lp: LogicalProcessor): number;
  protected abstract write(lp: LogicalProcessor, word: number): void;

  tryAcquire(lp: LogicalProcessor, mode: LockMode, side: LockSide): LockResult {
    const word = this.read(lp);
    const taken = mode === 'exclusive' ? word & ~HOST_PRIORITY : word & EXCLUSIVE;
    if (taken !== 0) {
      if (this.#hostPriority && side === 'host') this.write(lp, word | HOST_PRIORITY);
      return 'busy';
    }
    if (side === 'guest' && (word & HOST_PRIORITY) !== 0) return 'host-priority';
    const free = word & ~HOST_PRIORITY;
    this.write(lp, mode === 'exclusive' ? free | EXCLUSIVE : free + ONE_SHARER);
    return 'ok';
  }

  release(lp: LogicalProcessor, mode: LockMode): void {
    const word = this.read(lp);
    this.write(lp, mode === 'exclusive' ? word & ~EXCLUSIVE : word - ONE_SHARER);
  }
}

/** A sharex in simulated memory (PAMT entry, TDCS): it survives, taken, whatever becomes of its taker. */
export class MemorySharex extends Sharex {
  readonly #pa: number;
  readonly #keyId: number;

  /** `hostPriority`: op-state, RTMR and service TD binding locks (lifecycle.md §8). */
  constructor(pa: number, keyId: number, hostPriority = false) {
    super(hostPriority);
    this.#pa = pa;
    this.#keyId = keyId;
  }

  protected override read(lp: LogicalProcessor): number {
    return lp.load16(this.#pa, this.#keyId);
  }
  protected override write(lp: LogicalProcessor, word: number): void {
    lp.store16(this.#pa, word, this.#keyId);
  }
}

/** A sharex or mutex in the SEAM range: module-global, KOT, TDMR entry, write-back table, CPU key table. */
export class GlobalSharex extends Sharex {
  #word = 0;

  constructor() {
    super(false);
  }

  protected override read(): number {
    return this.#word;
  }
  protected override write(_lp: LogicalProcessor, word: number): void {
    this.#word = word;
  }
}
