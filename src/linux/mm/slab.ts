import type { FaultInjection } from '../faults.ts';

/** Small kernel allocations that the hardware never sees (masks, lists): who holds how many. */
export class Slab {
  readonly #held = new Map<string, number>();
  readonly #faults: FaultInjection;

  constructor(faults: FaultInjection) {
    this.#faults = faults;
  }

  /** False is a failed allocation. */
  kzalloc(owner: string): boolean {
    if (this.#faults.allocationFails(owner)) return false;
    this.#held.set(owner, (this.#held.get(owner) ?? 0) + 1);
    return true;
  }

  kfree(owner: string): void {
    const held = (this.#held.get(owner) ?? 0) - 1;
    if (held < 0) throw new Error(`BUG: kfree() of '${owner}', which nobody holds`);
    if (held === 0) this.#held.delete(owner);
    else this.#held.set(owner, held);
  }

  outstanding(): ReadonlyMap<string, number> {
    return this.#held;
  }
}
