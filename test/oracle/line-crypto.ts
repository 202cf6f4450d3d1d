/** AES-XTS, the SHA-3 MAC and the key stream from a library (docs/memory-law.md, "Keys and MAC"). */

import { unsafe } from '@noble/ciphers/aes.js';
import { sha3_256 } from '@noble/hashes/sha3.js';

export const LINE_BYTES = 64;
const BLOCK_BYTES = 16;
const ascii = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** What a memory controller engine does with the lines of one KeyID. Two keys with equal bytes are one object. */
export interface LineKey {
  /** T0 of the line, an input of its MAC. */
  tweak(line: number): Uint8Array;
  encrypt(line: number, plain: Uint8Array): Uint8Array;
  decrypt(line: number, cipher: Uint8Array): Uint8Array;
}

/** `no-encrypt`: ciphertext = plaintext, T0 = 0. */
export const PLAINTEXT_KEY: LineKey = {
  tweak: () => new Uint8Array(BLOCK_BYTES),
  encrypt: (_line, plain) => plain.slice(),
  decrypt: (_line, cipher) => cipher.slice(),
};

type Block = (s0: number, s1: number, s2: number, s3: number) => { s0: number; s1: number; s2: number; s3: number };

/** IEEE 1619 with a library's AES block; schedules are expanded once and the tweaks of a line are kept. */
export class XtsKey implements LineKey {
  readonly #encrypt: Block;
  readonly #decrypt: Block;
  readonly #tweak: Block;
  readonly #tweaks = new Map<number, Uint32Array>();

  constructor(dataKey: Uint8Array, tweakKey: Uint8Array) {
    const [forward, backward, tweak] = [
      unsafe.expandKeyLE(dataKey),
      unsafe.expandKeyDecLE(dataKey),
      unsafe.expandKeyLE(tweakKey),
    ];
    this.#encrypt = (...s) => unsafe.encrypt(forward, ...s);
    this.#decrypt = (...s) => unsafe.decrypt(backward, ...s);
    this.#tweak = (...s) => unsafe.encrypt(tweak, ...s);
  }

  tweak(line: number): Uint8Array {
    return new Uint8Array(this.#lineTweaks(line).slice(0, 4).buffer);
  }

  encrypt(line: number, plain: Uint8Array): Uint8Array {
    return this.#xts(line, plain, this.#encrypt);
  }

  decrypt(line: number, cipher: Uint8Array): Uint8Array {
    return this.#xts(line, cipher, this.#decrypt);
  }

  #xts(line: number, input: Uint8Array, block: Block): Uint8Array {
    const tweaks = this.#lineTweaks(line);
    const words = new Uint32Array(input.slice().buffer);
    for (let i = 0; i < words.length; i += 4) {
      const t = tweaks.subarray(i, i + 4);
      const { s0, s1, s2, s3 } = block(words[i] ^ t[0], words[i + 1] ^ t[1], words[i + 2] ^ t[2], words[i + 3] ^ t[3]);
      words.set([s0 ^ t[0], s1 ^ t[1], s2 ^ t[2], s3 ^ t[3]], i);
    }
    return new Uint8Array(words.buffer);
  }

  /** T0..T3: the encrypted data unit number, then doubled in GF(2^128) from block to block. */
  #lineTweaks(line: number): Uint32Array {
    const known = this.#tweaks.get(line);
    if (known) return known;
    const { s0, s1, s2, s3 } = this.#tweak(line >>> 0, Math.floor(line / 2 ** 32), 0, 0);
    const tweaks = Uint32Array.of(s0, s1, s2, s3, ...new Uint32Array(12));
    for (let i = 4; i < tweaks.length; ++i) {
      const carryIn = i % 4 === 0 ? (tweaks[i - 1] >>> 31) * 0x87 : tweaks[i - 5] >>> 31;
      tweaks[i] = (tweaks[i - 4] << 1) ^ carryIn;
    }
    this.#tweaks.set(line, tweaks);
    return tweaks;
  }
}

function concat(...parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** The key that PCONFIG's random mode gives to (package, KeyID) in its `generation`. */
export function streamKey(seed: bigint, pkg: number, keyId: number, generation: number, aesBits: 128 | 256): Uint8Array[] {
  const block = (b: number): Uint8Array =>
    sha3_256(concat(ascii('seamline-key'), u64(seed), u32(pkg), u32(keyId), u32(generation), u32(b)));
  if (aesBits === 256) return [block(0), block(1)];
  return [block(0).slice(0, 16), block(0).slice(16)];
}

export function macKey(seed: bigint): Uint8Array {
  return sha3_256(concat(ascii('seamline-mac'), u64(seed))).slice(0, 16);
}

/** The full first u32; the caller keeps `macBits` of it. */
export function lineMac(ciphertext: Uint8Array, tweak: Uint8Array, tdBit: boolean, key: Uint8Array): number {
  const digest = sha3_256(concat(ciphertext, tweak, Uint8Array.of(tdBit ? 1 : 0), key));
  return new DataView(digest.buffer, digest.byteOffset).getUint32(0, true);
}
