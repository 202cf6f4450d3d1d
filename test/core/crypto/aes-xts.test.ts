import { createCipheriv, createDecipheriv } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, CryptoWasm, dataUnit, hex, unhex } from './crypto-wasm.ts';

let crypto: CryptoWasm;
beforeAll(async () => {
  crypto = await CryptoWasm.load();
}, 60_000);

const schedule = (keys: Uint8Array): number => crypto.schedule(1, keys);

function encrypt(keys: Uint8Array, line: bigint, plain: Uint8Array): Uint8Array {
  crypto.wasm.xtsEncryptLine(schedule(keys), line, crypto.put(3, plain), crypto.slot(4));
  return crypto.get(4, 64);
}

function decrypt(keys: Uint8Array, line: bigint, cipher: Uint8Array): Uint8Array {
  crypto.wasm.xtsDecryptLine(schedule(keys), line, crypto.put(3, cipher), crypto.slot(4));
  return crypto.get(4, 64);
}

const counting = Uint8Array.from({ length: 64 }, (_, i) => i);

/** IEEE 1619 annex B; a data unit's first blocks do not depend on its length. */
const VECTORS = [
  {
    name: 'vector 1',
    keys: '00'.repeat(32),
    line: 0n,
    plain: new Uint8Array(64),
    cipher: '917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e',
  },
  {
    name: 'vector 2',
    keys: '11'.repeat(16) + '22'.repeat(16),
    line: 0x3333333333n,
    plain: new Uint8Array(64).fill(0x44),
    cipher: 'c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0',
  },
  {
    name: 'vector 3',
    keys: `fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0${'22'.repeat(16)}`,
    line: 0x3333333333n,
    plain: new Uint8Array(64).fill(0x44),
    cipher: 'af85336b597afc1a900b2eb21ec949d292df4c047e0b21532186a5971a227a89',
  },
  {
    name: 'vector 4',
    keys: '2718281828459045235360287471352631415926535897932384626433832795',
    line: 0n,
    plain: counting,
    cipher:
      '27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89cc78cf7f5e543445f8333d8fa7f56000005279fa5d8b5e4ad40e736ddb4d35412',
  },
  {
    name: 'vector 10',
    keys: '27182818284590452353602874713526624977572470936999595749669676273141592653589793238462643383279502884197169399375105820974944592',
    line: 0xffn,
    plain: counting,
    cipher:
      '1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b5d31e276f8fe4a8d66b317f9ac683f44680a86ac35adfc3345befecb4bb188fd',
  },
];

describe('AES-XTS in Wasm', () => {
  it.each(VECTORS)('IEEE 1619 $name, both directions', ({ keys, line, plain, cipher }) => {
    const encrypted = encrypt(unhex(keys), line, plain);
    expect(hex(encrypted).slice(0, cipher.length)).toBe(cipher);
    expect(hex(decrypt(unhex(keys), line, encrypted))).toBe(hex(plain));
  });

  it.each([128, 256])('equals node:crypto for random keys, lines and data: AES-%i', (bits) => {
    for (let i = 1; i <= 200; ++i) {
      const keys = bytesOf(bits / 4, i);
      const plain = bytesOf(64, i + 1000);
      const line = BigInt(i) * 0x1234567n * (i % 3 === 0 ? 0x100000n : 1n) + BigInt(i & 7);
      const cipher = createCipheriv(`aes-${bits}-xts`, keys, dataUnit(line)).update(plain);
      const back = createDecipheriv(`aes-${bits}-xts`, keys, dataUnit(line)).update(plain);
      expect(hex(encrypt(keys, line, plain))).toBe(cipher.toString('hex'));
      expect(hex(decrypt(keys, line, plain))).toBe(back.toString('hex'));
    }
  });

  it.each([128, 256])('T0 is the tweak key over the line number: AES-%i', (bits) => {
    const keys = bytesOf(bits / 4, 77);
    const line = 0xfedcba9876543n;
    const ecb = createCipheriv(`aes-${bits}-ecb`, keys.subarray(bits / 8), null).update(dataUnit(line));
    crypto.wasm.xtsTweak(schedule(keys), line, crypto.slot(4));
    expect(hex(crypto.get(4, 16))).toBe(ecb.toString('hex'));
  });

  it('works in place', () => {
    const keys = bytesOf(32, 5);
    const plain = bytesOf(64, 6);
    const expected = hex(encrypt(keys, 9n, plain));
    const keySchedule = schedule(keys);
    crypto.wasm.xtsEncryptLine(keySchedule, 9n, crypto.put(3, plain), crypto.slot(3));
    expect(hex(crypto.get(3, 64))).toBe(expected);
    crypto.wasm.xtsDecryptLine(keySchedule, 9n, crypto.slot(3), crypto.slot(3));
    expect(hex(crypto.get(3, 64))).toBe(hex(plain));
  });
});
