import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, CryptoWasm, hex } from './crypto-wasm.ts';

let crypto: CryptoWasm;
beforeAll(async () => {
  crypto = await CryptoWasm.load();
}, 60_000);

function sha3(message: Uint8Array): string {
  crypto.wasm.sha3_256(crypto.put(0, message), message.length, crypto.slot(2));
  return hex(crypto.get(2, 32));
}

const lanesOf = (seed: number): BigUint64Array => new BigUint64Array(bytesOf(200, seed).buffer as ArrayBuffer);

/** Two states, interleaved lane by lane, permuted. */
function permute([first, second]: [BigUint64Array, BigUint64Array]): BigUint64Array {
  const { memory, statePair, keccakPair } = crypto.wasm;
  const lanes = new BigUint64Array(memory.buffer, statePair.value as number, 50);
  for (let i = 0; i < 25; ++i) lanes.set([first[i]!, second[i]!], 2 * i);
  keccakPair();
  return lanes.slice();
}

/** Keccak-f[1600] of zeros: the Keccak team's KeccakF-1600-IntermediateValues. */
const ZERO_PERMUTED = [
  0xf1258f7940e1dde7n,
  0x84d5ccf933c0478an,
  0xd598261ea65aa9een,
  0xbd1547306f80494dn,
  0x8b284e056253d057n,
  0xff97a42d7f8e6fd4n,
  0x90fee5a0a44647c4n,
  0x8c5bda0cd6192e76n,
  0xad30a6f71b19059cn,
  0x30935ab7d08ffc64n,
  0xeb5aa93f2317d635n,
  0xa9a6e6260d712103n,
  0x81a57c16dbcf555fn,
  0x43b831cd0347c826n,
  0x01f22f1a11a5569fn,
  0x05e5635a21d9ae61n,
  0x64befef28cc970f2n,
  0x613670957bc46611n,
  0xb87c5a554fd00ecbn,
  0x8c3ee88a1ccf32c8n,
  0x940c7922ae3a2614n,
  0x1841f924a2c509e4n,
  0x16f53526e70465c2n,
  0x75f644e97f30a13bn,
  0xeaf1ff7b5ceca249n,
];

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

  it('permutes the zero state as published, in both halves', () => {
    expect([...permute([new BigUint64Array(25), new BigUint64Array(25)])]).toEqual(
      [...ZERO_PERMUTED].flatMap((lane) => [lane, lane]),
    );
  });

  it('permutes two states as it permutes each beside another', () => {
    for (let seed = 1; seed <= 20; ++seed) {
      const [first, second] = [lanesOf(seed), lanesOf(seed + 100)];
      const pair = permute([first, second]);
      const swapped = permute([second, first]);
      const alone = permute([first, new BigUint64Array(25)]);
      for (let i = 0; i < 25; ++i) {
        expect(pair[2 * i]).toBe(swapped[2 * i + 1]);
        expect(pair[2 * i + 1]).toBe(swapped[2 * i]);
        expect(pair[2 * i]).toBe(alone[2 * i]);
      }
      expect([...pair]).not.toEqual([...swapped]);
    }
  });
});
