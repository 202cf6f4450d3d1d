import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, CryptoWasm, dataUnit, hex } from './crypto-wasm.ts';

let crypto: CryptoWasm;
beforeAll(async () => {
  crypto = await CryptoWasm.load();
}, 60_000);

const LINE = 64;
const [SCHEDULE, SOURCE, TARGET, TWEAKS, MACS, MAC_KEY] = [1, 3, 4, 5, 6, 7] as const;

const batch = fc.record({
  bits: fc.constantFrom(128, 256),
  lines: fc.integer({ min: 0, max: 70 }),
  firstLine: fc.bigInt({ min: 0n, max: (1n << 46n) - 1n }),
  tdBit: fc.constantFrom(0, 1),
  seed: fc.integer({ min: 1, max: 1_000_000 }),
});
type Batch = typeof batch extends fc.Arbitrary<infer T> ? T : never;

interface Sealed {
  readonly cipher: Uint8Array;
  readonly macs: Uint32Array;
}

const keysOf = ({ bits, seed }: Batch): Uint8Array => bytesOf(bits / 4, seed);
const dataOf = ({ lines, seed }: Batch): Uint8Array => bytesOf(lines * LINE, seed + 1);
const macKeyOf = ({ seed }: Batch): Uint8Array => bytesOf(16, seed + 2);
const lineOf = (data: Uint8Array, index: number): Uint8Array => data.slice(index * LINE, (index + 1) * LINE);

/** node:crypto, a line at a time. */
function mac({ bits, firstLine, tdBit, ...rest }: Batch, index: number, cipher: Uint8Array): number {
  const keys = keysOf({ bits, firstLine, tdBit, ...rest });
  const tweak = createCipheriv(`aes-${bits}-ecb`, keys.slice(bits / 8), null).update(dataUnit(firstLine + BigInt(index)));
  const hash = createHash('sha3-256').update(cipher).update(tweak).update(Uint8Array.of(tdBit));
  return hash
    .update(macKeyOf({ bits, firstLine, tdBit, ...rest }))
    .digest()
    .readUInt32LE(0);
}

function expected(of: Batch, direction: 'seal' | 'open'): Sealed {
  const make = direction === 'seal' ? createCipheriv : createDecipheriv;
  const out = new Uint8Array(of.lines * LINE);
  const macs = new Uint32Array(of.lines);
  for (let i = 0; i < of.lines; ++i) {
    const source = lineOf(dataOf(of), i);
    const result = make(`aes-${of.bits}-xts`, keysOf(of), dataUnit(of.firstLine + BigInt(i))).update(source);
    out.set(result, i * LINE);
    macs[i] = mac(of, i, direction === 'seal' ? result : source);
  }
  return { cipher: out, macs };
}

function stage(of: Batch): { schedule: number; source: number; target: number; macKey: number } {
  return {
    schedule: crypto.schedule(SCHEDULE, keysOf(of)),
    source: crypto.put(SOURCE, dataOf(of)),
    target: crypto.put(TARGET, new Uint8Array(of.lines * LINE + LINE)),
    macKey: crypto.put(MAC_KEY, macKeyOf(of)),
  };
}

function run(of: Batch, direction: 'seal' | 'open', inPlace: boolean): Sealed {
  const { schedule, source, target, macKey } = stage(of);
  const to = inPlace ? source : target;
  crypto.put(MACS, new Uint8Array(of.lines * 4 + 4).fill(0xa5));
  const { firstLine, lines, tdBit } = of;
  crypto.wasm.cryptWithMacs(schedule, firstLine, lines, tdBit, macKey, source, to, crypto.slot(MACS), direction === 'seal');
  const macs = new Uint32Array(crypto.get(MACS, of.lines * 4 + 4).buffer);
  expect(macs[of.lines], 'a MAC behind the last line').toBe(0xa5a5a5a5);
  expect(hex(crypto.get(TARGET, of.lines * LINE + LINE)).slice(of.lines * LINE * 2), 'bytes behind the last line').toBe(
    '00'.repeat(LINE),
  );
  return { cipher: crypto.get(inPlace ? SOURCE : TARGET, of.lines * LINE), macs: macs.slice(0, of.lines) };
}

const text = ({ cipher, macs }: Sealed): string => `${hex(cipher)} ${macs.join()}`;

describe('lines sealed and opened together', () => {
  it.each(['seal', 'open'] as const)('%s: any count of lines equals node:crypto line by line', (direction) => {
    fc.assert(
      fc.property(batch, fc.boolean(), (of, inPlace) => {
        expect(text(run(of, direction, inPlace))).toBe(text(expected(of, direction)));
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('opening undoes sealing and finds the same MACs', () => {
    fc.assert(
      fc.property(batch, (of) => {
        const { schedule, source, macKey } = stage(of);
        const sealed = run(of, 'seal', false);
        const { firstLine, lines, tdBit } = of;
        crypto.wasm.cryptWithMacs(
          schedule,
          firstLine,
          lines,
          tdBit,
          macKey,
          crypto.slot(TARGET),
          source,
          crypto.slot(MACS),
          false,
        );
        expect(hex(crypto.get(SOURCE, of.lines * LINE))).toBe(hex(dataOf(of)));
        expect([...new Uint32Array(crypto.get(MACS, of.lines * 4).buffer)]).toEqual([...sealed.macs]);
      }),
      { numRuns: 40, seed: 4 },
    );
  });

  it('a batch equals its lines one by one: tweaks, both directions of XTS, MACs', () => {
    fc.assert(
      fc.property(batch, (of) => {
        const { wasm } = crypto;
        const { schedule, source, target, macKey } = stage(of);
        for (const [encrypt, one] of [
          [true, wasm.xtsEncryptLine],
          [false, wasm.xtsDecryptLine],
        ] as const) {
          wasm.cryptWithMacs(schedule, of.firstLine, of.lines, of.tdBit, macKey, source, target, crypto.slot(MACS), encrypt);
          const together = hex(crypto.get(TARGET, of.lines * LINE));
          for (let i = 0; i < of.lines; ++i) one(schedule, of.firstLine + BigInt(i), source + i * LINE, target + i * LINE);
          expect(hex(crypto.get(TARGET, of.lines * LINE))).toBe(together);
        }
        for (let i = 0; i < of.lines; ++i) wasm.xtsTweak(schedule, of.firstLine + BigInt(i), crypto.slot(TWEAKS) + i * 16);
        wasm.lineMacs(source, crypto.slot(TWEAKS), of.lines, of.tdBit, macKey, crypto.slot(MACS));
        const macs = [...new Uint32Array(crypto.get(MACS, of.lines * 4).buffer)];
        expect(macs).toEqual(
          macs.map((_, i) => wasm.lineMac(source + i * LINE, crypto.slot(TWEAKS) + i * 16, of.tdBit, macKey) >>> 0),
        );
        wasm.xtsTweaks(schedule, of.firstLine, target);
        const shared = Math.min(of.lines, 8) * 16;
        expect(hex(crypto.get(TARGET, shared))).toBe(hex(crypto.get(TWEAKS, shared)));
      }),
      { numRuns: 40, seed: 5 },
    );
  });
});
