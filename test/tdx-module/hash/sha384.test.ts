import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Sha384, sha384 } from '../../../src/tdx-module/hash/sha384.ts';

const oracle = (bytes: Uint8Array): string => createHash('sha384').update(bytes).digest('hex');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('SHA-384', () => {
  it('equals node:crypto for every length around the block and padding boundaries', () => {
    for (let length = 0; length <= 400; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
      expect(hex(sha384(bytes)), `${length} bytes`).toBe(oracle(bytes));
    }
  });

  it('equals node:crypto for any content in any chunking', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }), (chunks) => {
        const hash = new Sha384();
        for (const chunk of chunks) hash.update(chunk);
        expect(hex(hash.digest())).toBe(oracle(Buffer.concat(chunks)));
      }),
      { numRuns: 500 },
    );
  });

  it('goes on from an exported state, and refuses to export inside a block', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 128, maxLength: 128 }), { minLength: 1, maxLength: 6 }),
        fc.uint8Array({ maxLength: 200 }),
        (blocks, tail) => {
          let hash = new Sha384();
          for (const block of blocks) hash = Sha384.import(hash.update(block).export());
          expect(hex(hash.update(tail).digest())).toBe(oracle(Buffer.concat([...blocks, tail])));
        },
      ),
    );
    expect(() => new Sha384().update(new Uint8Array(5)).export()).toThrow(RangeError);
  });
});
