import type { TdhName } from './context.ts';

interface Fault {
  readonly status: bigint;
  skip: number;
  left: number;
}

/** Fault injection: a leaf answers with a given status instead of running. For tests and the lab. */
export class LeafFaults {
  readonly #faults = new Map<TdhName, Fault>();

  /** After `afterCalls` calls that run as usual, the next `count` calls of `leaf` return `status` and do nothing. */
  inject(leaf: TdhName, status: bigint, afterCalls = 0, count = 1): void {
    this.#faults.set(leaf, { status, skip: afterCalls, left: count });
  }

  /** The status to return instead of running, if it is this call's turn. */
  take(leaf: TdhName): bigint | null {
    const fault = this.#faults.get(leaf);
    if (!fault || fault.left === 0) return null;
    if (fault.skip > 0) {
      fault.skip--;
      return null;
    }
    fault.left--;
    return fault.status;
  }
}
