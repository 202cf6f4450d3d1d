/**
 * What a memory controller's engine does to one line, with the libraries people would take: AES-XTS (IEEE 1619) and the SHA-3 MAC of
 * docs/memory-law.md. Keys are given, not derived.
 */
import * as nodeCrypto from 'node:crypto';
import { createCipheriv, createHash } from 'node:crypto';
import { unsafe } from '@noble/ciphers/aes.js';
import { sha3_256 } from '@noble/hashes/sha3.js';

export const LINE = 64;
const BLOCK = 16;
const DOUBLING = 0x87;

export interface Sealed {
  readonly ciphertext: Uint8Array;
  /** The full first word; the machine keeps `macBits` of it. */
  readonly mac: number;
}

export interface LineCrypto {
  /** Encrypts one line by its number (address / 64) and computes its MAC for TD bit 1. */
  seal(line: number, plain: Uint8Array): Sealed;
}

/** As a string of bytes: Node makes one in half the time of a Buffer. */
function firstWord(bytes: string): number {
  return (bytes.charCodeAt(0) | (bytes.charCodeAt(1) << 8) | (bytes.charCodeAt(2) << 16) | (bytes.charCodeAt(3) << 24)) >>> 0;
}

/** First word of SHA3-256. The one-shot `hash` is the faster one, where Node has it (20.12, 21.7). */
const sha3Word: (bytes: Uint8Array) => number =
  'hash' in nodeCrypto
    ? (bytes) => firstWord(nodeCrypto.hash('sha3-256', bytes, 'binary'))
    : (bytes) => firstWord(createHash('sha3-256').update(bytes).digest('binary'));

/** First 16 bytes of H("seamline-mac" ‖ seed). */
export function macKey(seed: bigint): Uint8Array {
  const text = Buffer.alloc(20);
  text.write('seamline-mac', 'ascii');
  text.writeBigUInt64LE(seed, 12);
  return createHash('sha3-256').update(text).digest().subarray(0, BLOCK);
}

function writeLineNumber(target: Uint8Array, line: number): void {
  const words = new DataView(target.buffer, target.byteOffset, BLOCK);
  words.setUint32(0, line >>> 0, true);
  words.setUint32(4, Math.floor(line / 2 ** 32), true);
}

/** Ciphertext 64 ‖ T0 16 ‖ TD bit 1 ‖ MAC key 16. */
class MacInput {
  readonly bytes = new Uint8Array(LINE + BLOCK + 1 + BLOCK);
  readonly ciphertext = this.bytes.subarray(0, LINE);
  readonly tweak = this.bytes.subarray(LINE, LINE + BLOCK);

  constructor(key: Uint8Array) {
    this.bytes[LINE + BLOCK] = 1;
    this.bytes.set(key, LINE + BLOCK + 1);
  }
}

/** OpenSSL: its XTS needs a cipher object a line; the block cipher for T0 is kept. */
export class NodeCrypto implements LineCrypto {
  readonly #name: string;
  readonly #keys: Uint8Array;
  readonly #tweakCipher: ReturnType<typeof createCipheriv>;
  readonly #iv = new Uint8Array(BLOCK);
  readonly #mac: MacInput;

  constructor(dataKey: Uint8Array, tweakKey: Uint8Array, key: Uint8Array) {
    const bits = dataKey.length * 8;
    this.#name = `aes-${bits}-xts`;
    this.#keys = Buffer.concat([dataKey, tweakKey]);
    this.#tweakCipher = createCipheriv(`aes-${bits}-ecb`, tweakKey, null).setAutoPadding(false);
    this.#mac = new MacInput(key);
  }

  seal(line: number, plain: Uint8Array): Sealed {
    writeLineNumber(this.#iv, line);
    const ciphertext = createCipheriv(this.#name, this.#keys, this.#iv).update(plain);
    this.#mac.ciphertext.set(ciphertext);
    this.#mac.tweak.set(this.#tweakCipher.update(this.#iv));
    return { ciphertext, mac: sha3Word(this.#mac.bytes) };
  }
}

/** Pure JavaScript: schedules are expanded once, blocks go as words. */
export class Noble implements LineCrypto {
  readonly #data: Uint32Array;
  readonly #tweak: Uint32Array;
  readonly #mac: MacInput;

  constructor(dataKey: Uint8Array, tweakKey: Uint8Array, key: Uint8Array) {
    this.#data = unsafe.expandKeyLE(dataKey);
    this.#tweak = unsafe.expandKeyLE(tweakKey);
    this.#mac = new MacInput(key);
  }

  seal(line: number, plain: Uint8Array): Sealed {
    const input = new Uint32Array(plain.slice().buffer);
    let { s0: a, s1: b, s2: c, s3: d } = unsafe.encrypt(this.#tweak, line >>> 0, Math.floor(line / 2 ** 32), 0, 0);
    this.#mac.tweak.set(new Uint8Array(Uint32Array.of(a, b, c, d).buffer));
    for (let at = 0; at < input.length; at += 4) {
      const block = unsafe.encrypt(this.#data, input[at]! ^ a, input[at + 1]! ^ b, input[at + 2]! ^ c, input[at + 3]! ^ d);
      input[at] = block.s0 ^ a;
      input[at + 1] = block.s1 ^ b;
      input[at + 2] = block.s2 ^ c;
      input[at + 3] = block.s3 ^ d;
      const carry = d >>> 31;
      d = (d << 1) | (c >>> 31);
      c = (c << 1) | (b >>> 31);
      b = (b << 1) | (a >>> 31);
      a = (a << 1) ^ (carry * DOUBLING);
    }
    const ciphertext = new Uint8Array(input.buffer);
    this.#mac.ciphertext.set(ciphertext);
    const digest = sha3_256(this.#mac.bytes);
    return { ciphertext, mac: new DataView(digest.buffer, digest.byteOffset).getUint32(0, true) };
  }
}
