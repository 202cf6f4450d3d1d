/** Moves the bytes of range operations between Wasm memory and JavaScript arrays: one `set` a span, no staging. */
import * as L from '../assembly/layout.ts';
import type { CoreExports } from './core-exports.ts';
import type { Status } from './memory-core.ts';
import type { Records } from './records.ts';

/** A range operation in two forms. */
export interface Transfer {
  /** Settles whole lines from an address on and leaves spans; returns how many bytes they cover. */
  plan(pa: number, length: number): number;
  /** Does it all, with the bytes at an address of Wasm memory. A read returns 1 when it met poison. */
  piece(pa: number, length: number, at: number): unknown;
}

const PAGE_BYTES = 4096;
/** Shorter ranges go through the mailbox in one call. */
const SHORT = 512;

export class Transfers {
  readonly #core: CoreExports;
  readonly #records: Records;
  readonly #mailbox: number;
  readonly #spans: number;

  constructor(core: CoreExports, records: Records) {
    this.#core = core;
    this.#records = records;
    this.#mailbox = Number(core.mailbox.value);
    this.#spans = Number(core.spans.value) >> 2;
  }

  /** From memory to `out`. */
  read(pa: number, out: Uint8Array, { plan, piece }: Transfer): Status {
    if (out.buffer === this.#records.buffered) return piece(pa, out.length, out.byteOffset) as Status;
    for (let at = 0; at < out.length; ) {
      if (out.length - at > SHORT) at += this.#spread(plan(pa + at, out.length - at), out, at, false);
      if (at === out.length) break;
      const chunk = this.#chunk(pa + at, out.length - at);
      const status = piece(pa + at, chunk, this.#mailbox);
      // Up to the poisoned line the bytes are good.
      const good = status === 0 ? chunk : Math.max(0, this.#records.fault().pa - (pa + at));
      out.set(this.#records.u8.subarray(0, good), at);
      if (status !== 0) return 1;
      at += chunk;
    }
    return 0;
  }

  /** From `bytes` to memory. */
  write(pa: number, bytes: Uint8Array, { plan, piece }: Transfer): void {
    if (bytes.buffer === this.#records.buffered) {
      piece(pa, bytes.length, bytes.byteOffset);
      return;
    }
    for (let at = 0; at < bytes.length; ) {
      if (bytes.length - at > SHORT) at += this.#spread(plan(pa + at, bytes.length - at), bytes, at, true);
      if (at === bytes.length) break;
      const chunk = this.#chunk(pa + at, bytes.length - at);
      this.#records.u8.set(bytes.subarray(at, at + chunk));
      piece(pa + at, chunk, this.#mailbox);
      at += chunk;
    }
  }

  /** What a plan stopped at: the rest of the page goes line by line. */
  #chunk(pa: number, left: number): number {
    return Math.min(left, PAGE_BYTES - (pa % PAGE_BYTES));
  }

  #spread(planned: number, bytes: Uint8Array, start: number, write: boolean): number {
    if (planned === 0) return 0;
    const { memory, words } = this.#records;
    let at = start;
    for (let span = this.#spans, left = this.#core.spanCount(); left > 0; left--, span += L.SPAN_SIZE >> 2) {
      const place = words[span]!;
      const length = words[span + 1]!;
      if (write) memory.set(bytes.subarray(at, at + length), place);
      else bytes.set(memory.subarray(place, place + length), at);
      at += length;
    }
    return planned;
  }
}
