import type { RandomStream } from '../platform/index.ts';
import { TDX_RND_NO_ENTROPY } from '../spec/status.ts';
import type { TdhName } from './context.ts';

/** The CPU's random numbers as the module sees them (RDRAND, RDSEED and PCONFIG's generator), with its failure injected by leaf. */
export class Entropy {
  readonly status = TDX_RND_NO_ENTROPY;
  readonly #stream: RandomStream;
  readonly #failures = new Map<TdhName, number>();

  constructor(stream: RandomStream) {
    this.#stream = stream;
  }

  /** The next `count` draws of the leaf find no entropy. */
  failNext(leaf: TdhName, count: number): void {
    this.#failures.set(leaf, count);
  }

  /** One draw: false when there is no entropy. */
  available(leaf: TdhName): boolean {
    const left = this.#failures.get(leaf) ?? 0;
    if (left > 0) this.#failures.set(leaf, left - 1);
    return left === 0;
  }

  draw(leaf: TdhName, bytes: number): Uint8Array | null {
    return this.available(leaf) ? this.#stream.bytes(new Uint8Array(bytes)) : null;
  }
}
