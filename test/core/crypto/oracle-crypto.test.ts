import { createCipheriv, createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { lineMac, macKey, streamKey, XtsKey } from '../../oracle/line-crypto.ts';
import { bytesOf, hex } from './crypto-wasm.ts';

/** The oracle's arithmetic stands on a library; this checks how it is put together. */
describe("the oracle's line crypto", () => {
  it.each([128, 256])('XTS equals node:crypto, both directions: AES-%i', (bits) => {
    for (let i = 1; i <= 100; ++i) {
      const keys = bytesOf(bits / 4, i);
      const line = i * 0x3a5b7c9d1 + (i % 7);
      const iv = Buffer.alloc(16);
      iv.writeBigUInt64LE(BigInt(line));
      const plain = bytesOf(64, i + 500);
      const key = new XtsKey(keys.slice(0, bits / 8), keys.slice(bits / 8));
      const cipher = key.encrypt(line, plain);
      expect(hex(cipher)).toBe(createCipheriv(`aes-${bits}-xts`, keys, iv).update(plain).toString('hex'));
      expect(hex(key.decrypt(line, cipher))).toBe(hex(plain));
      const tweak = createCipheriv(`aes-${bits}-ecb`, keys.slice(bits / 8), null).update(iv);
      expect(hex(key.tweak(line))).toBe(tweak.toString('hex'));
    }
  });

  it('key stream and MAC are the published hashes', () => {
    const seed = Buffer.from('efcdab8967452301', 'hex');
    const block = (b: number): string =>
      createHash('sha3-256')
        .update('seamline-key')
        .update(seed)
        .update(Buffer.from(Uint32Array.of(1, 42, 7, b).buffer))
        .digest('hex');
    expect(streamKey(0x0123456789abcdefn, 1, 42, 7, 256).map(hex)).toEqual([block(0), block(1)]);
    expect(streamKey(0x0123456789abcdefn, 1, 42, 7, 128).map(hex).join('')).toBe(block(0));
    const key = macKey(0x0123456789abcdefn);
    expect(hex(key)).toBe(createHash('sha3-256').update('seamline-mac').update(seed).digest('hex').slice(0, 32));
    const digest = createHash('sha3-256')
      .update(bytesOf(64, 1))
      .update(bytesOf(16, 2))
      .update(Uint8Array.of(1))
      .update(key)
      .digest();
    expect(lineMac(bytesOf(64, 1), bytesOf(16, 2), true, key)).toBe(digest.readUInt32LE(0));
  });
});
