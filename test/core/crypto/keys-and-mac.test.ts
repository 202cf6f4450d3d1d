import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, CryptoWasm, hex } from './crypto-wasm.ts';

let crypto: CryptoWasm;
beforeAll(async () => {
  crypto = await CryptoWasm.load();
}, 60_000);

const SEED = 0x0123456789abcdefn;

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

function u32s(...values: number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer);
}

function keyBlock(pkg: number, keyId: number, generation: number, block: number): Buffer {
  return createHash('sha3-256')
    .update('seamline-key')
    .update(u64(SEED))
    .update(u32s(pkg, keyId, generation, block))
    .digest();
}

describe('keys derived from the seed', () => {
  it('AES-128 takes both halves of block 0 and clears the rest', () => {
    crypto.put(0, new Uint8Array(64).fill(0xee));
    crypto.wasm.deriveKey(SEED, 1, 33, 2, 128, crypto.slot(0));
    const block = keyBlock(1, 33, 2, 0);
    const zeros = '00'.repeat(16);
    expect(hex(crypto.get(0, 64))).toBe(block.toString('hex', 0, 16) + zeros + block.toString('hex', 16) + zeros);
  });

  it('AES-256 takes blocks 0 and 1', () => {
    crypto.wasm.deriveKey(SEED, 7, 0x7fff, 0xffffffff, 256, crypto.slot(0));
    const blocks = [0, 1].map((block) => keyBlock(7, 0x7fff, 0xffffffff, block).toString('hex'));
    expect(hex(crypto.get(0, 64))).toBe(blocks.join(''));
  });

  it('every field of the stream changes the key', () => {
    const keys = [
      [SEED, 0, 0, 0],
      [SEED + 1n, 0, 0, 0],
      [SEED, 1, 0, 0],
      [SEED, 0, 1, 0],
      [SEED, 0, 0, 1],
    ].map(([seed, pkg, keyId, generation]) => {
      crypto.wasm.deriveKey(BigInt(seed), Number(pkg), Number(keyId), Number(generation), 128, crypto.slot(0));
      return hex(crypto.get(0, 64));
    });
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('the MAC of a line', () => {
  const macKey = (): Buffer => createHash('sha3-256').update('seamline-mac').update(u64(SEED)).digest().subarray(0, 16);

  it('its key comes from the seed alone', () => {
    crypto.wasm.deriveMacKey(SEED, crypto.slot(0));
    expect(hex(crypto.get(0, 16))).toBe(macKey().toString('hex'));
  });

  it.each([0, 1])('is the first u32 of SHA3-256 over ciphertext, T0, TD bit %i and MAC key', (tdBit) => {
    crypto.wasm.deriveMacKey(SEED, crypto.slot(3));
    for (let i = 1; i <= 50; ++i) {
      const cipher = bytesOf(64, i);
      const tweak = bytesOf(16, i + 100);
      const hash = createHash('sha3-256').update(cipher).update(tweak).update(Uint8Array.of(tdBit)).update(macKey());
      const mac = crypto.wasm.lineMac(crypto.put(0, cipher), crypto.put(1, tweak), tdBit, crypto.slot(3)) >>> 0;
      expect(mac).toBe(hash.digest().readUInt32LE(0));
    }
  });
});
