/** The core's line crypto by itself: as many lines a call as the mailbox holds, two at a time. */
import {
  CRYPTO_KEYS,
  CRYPTO_LINES,
  CRYPTO_MAC_KEY,
  CRYPTO_MAX_LINES,
  CRYPTO_SEAL,
  CRYPTO_TD_BIT,
  MAILBOX_SIZE,
} from '../../assembly/layout.ts';
import { compileCore, instantiateCore } from '../../bindings/compile.ts';
import { expectBytes, expectEqual } from '../harness/bench.ts';
import { LINE, scramble } from '../harness/workload.ts';
import { type LineCrypto, macKey } from '../peers/line-crypto.ts';

export type Bits = 128 | 256;

export const ENGINE_LINES = CRYPTO_MAX_LINES - (CRYPTO_MAX_LINES % 2);
const FIRST_LINE = 2 ** 24;
const MAC_BYTES = 4;
/** The tweak key lies here, however long the data key is. */
const TWEAK_KEY = CRYPTO_KEYS + 32;

export class LineEngine {
  readonly plain: Uint8Array;
  readonly #core = instantiateCore(compileCore());
  readonly #box: DataView;
  readonly #bits: Bits;
  readonly #keys: readonly [data: Uint8Array, tweak: Uint8Array];
  readonly #macKey: Uint8Array;

  constructor(bits: Bits, seed: number) {
    this.#bits = bits;
    const [data, tweak] = [new Uint8Array(bits / 8), new Uint8Array(bits / 8)];
    this.#keys = [scramble(data, seed), scramble(tweak, seed + 1)];
    this.#macKey = macKey(BigInt(seed));
    this.plain = scramble(new Uint8Array(ENGINE_LINES * LINE), seed + 2);
    this.#box = new DataView(this.#core.memory.buffer, Number(this.#core.mailbox.value), MAILBOX_SIZE);
    this.#put(data, CRYPTO_KEYS);
    this.#put(tweak, TWEAK_KEY);
    this.#put(this.#macKey, CRYPTO_MAC_KEY);
    this.#box.setUint32(CRYPTO_TD_BIT, 1, true);
    this.#put(this.plain, CRYPTO_LINES);
  }

  /** At most {@link ENGINE_LINES}, in place: what one call made of the lines is what the next one takes. */
  seal(lines = ENGINE_LINES): void {
    this.#core.cryptoLines(CRYPTO_SEAL, this.#bits, FIRST_LINE, lines);
  }

  peer(create: new (data: Uint8Array, tweak: Uint8Array, mac: Uint8Array) => LineCrypto): LineCrypto {
    return new create(...this.#keys, this.#macKey);
  }

  sealBy(peer: LineCrypto): void {
    for (let i = 0; i < ENGINE_LINES; i++) peer.seal(FIRST_LINE + i, this.#line(i));
  }

  /** Every line and every MAC is what a library makes of the same. */
  expectSealed(peer: LineCrypto): void {
    this.#put(this.plain, CRYPTO_LINES);
    this.seal();
    const sealed = new Uint8Array(this.#box.buffer, this.#box.byteOffset + CRYPTO_LINES, this.plain.length);
    for (let i = 0; i < ENGINE_LINES; i++) {
      const { ciphertext, mac } = peer.seal(FIRST_LINE + i, this.#line(i));
      expectBytes('ciphertext', sealed.subarray(i * LINE, (i + 1) * LINE), ciphertext);
      expectEqual('MAC', this.#box.getUint32(CRYPTO_LINES + this.plain.length + i * MAC_BYTES, true), mac);
    }
  }

  #line(i: number): Uint8Array {
    return this.plain.subarray(i * LINE, (i + 1) * LINE);
  }

  #put(bytes: Uint8Array, at: number): void {
    new Uint8Array(this.#box.buffer, this.#box.byteOffset + at, bytes.length).set(bytes);
  }
}
