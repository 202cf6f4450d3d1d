import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, CryptoWasm, hex } from './crypto-wasm.ts';

let crypto: CryptoWasm;
beforeAll(async () => {
  crypto = await CryptoWasm.load();
});

function sha3(message: Uint8Array): string {
  crypto.wasm.sha3_256(crypto.put(0, message), message.length, crypto.slot(2));
  return hex(crypto.get(2, 32));
}

describe('SHA3-256 in Wasm', () => {
  it.each([
    ['empty', new Uint8Array(0), 'a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a'],
    ['abc', new TextEncoder().encode('abc'), '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532'],
    ['1600 bits of a3', new Uint8Array(200).fill(0xa3), '79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787'],
  ])('gives the FIPS 202 example digest: %s', (_name, message, digest) => {
    expect(sha3(message)).toBe(digest);
  });

  it('equals node:crypto at every length around the rate', () => {
    for (let length = 0; length <= 420; ++length) {
      const message = bytesOf(length, length + 1);
      expect(sha3(message), `length ${length}`).toBe(createHash('sha3-256').update(message).digest('hex'));
    }
  });

  it('permutes the zero state as published', () => {
    crypto.put(0, new Uint8Array(200));
    crypto.wasm.keccakF1600(crypto.slot(0));
    const lanes = new BigUint64Array(crypto.get(0, 200).buffer);
    expect(lanes[0]).toBe(0xf1258f7940e1dde7n);
    expect(lanes[24]).toBe(0xeaf1ff7b5ceca249n);
  });
});
