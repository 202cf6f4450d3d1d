import { ENOSPC } from '../../spec/errno.ts';

/** KeyIDs for TDs: all private KeyIDs but the first, which is the global one. The lowest free one is handed out. */
export class GuestKeyIdPool {
  readonly first: number;
  readonly count: number;
  readonly #used = new Set<number>();

  constructor(first: number, count: number) {
    this.first = first;
    this.count = count;
  }

  get inUse(): ReadonlySet<number> {
    return this.#used;
  }

  /** A KeyID, or -ENOSPC. */
  alloc(): number {
    for (let keyId = this.first; keyId < this.first + this.count; keyId++) {
      if (this.#used.has(keyId)) continue;
      this.#used.add(keyId);
      return keyId;
    }
    return -ENOSPC;
  }

  free(keyId: number): void {
    this.#used.delete(keyId);
  }
}
