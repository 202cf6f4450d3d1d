import type { Platform } from './platform.ts';

/** What a device saw: the transfer, or an abort (private KeyID, or poison). */
export type DmaResult = 'done' | 'aborted';

/** Device access to memory, past the CPUs. A private KeyID aborts (memory-hardware.md §6, less sure); so does poison on a read. */
export class Dma {
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  read(pa: number, out: Uint8Array, keyId = 0): DmaResult {
    const { core } = this.#platform;
    if (this.#refused(pa, keyId)) return 'aborted';
    if (core.dmaRead(pa, out.length, keyId) !== 0) return 'aborted';
    out.set(core.mailbox.u8.subarray(0, out.length));
    if (this.#platform.hostView.watched) this.#platform.hostView.see('dma', pa, out, null);
    return 'done';
  }

  /** A write that covers a whole 64-byte line is a full-line write; anything less is partial. */
  write(pa: number, bytes: Uint8Array, keyId = 0): DmaResult {
    const { core } = this.#platform;
    if (this.#refused(pa, keyId)) return 'aborted';
    core.mailbox.u8.set(bytes);
    core.directStore('dma', 0, pa, bytes.length, keyId);
    return 'done';
  }

  #refused(pa: number, keyId: number): boolean {
    return this.#platform.isPrivateKeyId(keyId) || this.#platform.seam.covers(pa);
  }
}
