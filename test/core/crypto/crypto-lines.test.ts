import { createCipheriv, createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  CRYPTO_KEYS,
  CRYPTO_LINES,
  CRYPTO_MAC_KEY,
  CRYPTO_MAX_LINES,
  CRYPTO_OPEN,
  CRYPTO_SEAL,
  CRYPTO_TD_BIT,
  MAILBOX_SIZE,
} from '../../../assembly/layout.ts';
import { compileCore, instantiateCore } from '../../../bindings/compile.ts';
import type { CoreExports } from '../../../bindings/core-exports.ts';
import { bytesOf, dataUnit, hex } from './crypto-wasm.ts';

function core(): { exports: CoreExports; box: DataView; bytes: Uint8Array } {
  const exports = instantiateCore(compileCore());
  const at = exports.mailbox.value as number;
  const bytes = new Uint8Array(exports.memory.buffer, at, MAILBOX_SIZE);
  return { exports, box: new DataView(exports.memory.buffer, at, MAILBOX_SIZE), bytes };
}

describe("the core's line crypto by itself", () => {
  it('CRYPTO_MAX_LINES is what the mailbox holds with a MAC each', () => {
    expect(CRYPTO_LINES + CRYPTO_MAX_LINES * 68).toBeLessThanOrEqual(MAILBOX_SIZE);
    expect(CRYPTO_LINES + (CRYPTO_MAX_LINES + 1) * 68).toBeGreaterThan(MAILBOX_SIZE);
  });

  it.each([
    [128, 1],
    [128, CRYPTO_MAX_LINES],
    [256, 13],
    [256, CRYPTO_MAX_LINES],
  ])('seals and opens in the mailbox as node:crypto does, one key after another: AES-%i, %i lines', (bits, lines) => {
    const { exports, box, bytes } = core();
    const firstLine = 0x3_0000_0001_fff3;
    const macsAt = CRYPTO_LINES + lines * 64;
    for (const [round, tdBit] of [0, 1].entries()) {
      const [keys, macKey, data] = [bytesOf(bits / 4, round + 1), bytesOf(16, round + 7), bytesOf(lines * 64, round + 9)];
      bytes.set(keys.subarray(0, bits / 8), CRYPTO_KEYS);
      bytes.set(keys.subarray(bits / 8), CRYPTO_KEYS + 32);
      bytes.set(macKey, CRYPTO_MAC_KEY);
      box.setUint32(CRYPTO_TD_BIT, tdBit, true);
      bytes.set(data, CRYPTO_LINES);
      exports.cryptoLines(CRYPTO_SEAL, bits, firstLine, lines);
      for (let i = 0; i < lines; ++i) {
        const unit = dataUnit(BigInt(firstLine + i));
        const cipher = createCipheriv(`aes-${bits}-xts`, keys, unit).update(data.subarray(i * 64, i * 64 + 64));
        const tweak = createCipheriv(`aes-${bits}-ecb`, keys.subarray(bits / 8), null).update(unit);
        const hash = createHash('sha3-256').update(cipher).update(tweak).update(Uint8Array.of(tdBit)).update(macKey);
        expect(hex(bytes.subarray(CRYPTO_LINES + i * 64, CRYPTO_LINES + i * 64 + 64))).toBe(hex(cipher));
        expect(box.getUint32(macsAt + i * 4, true)).toBe(hash.digest().readUInt32LE(0));
      }
      const macs = bytes.slice(macsAt, macsAt + lines * 4);
      bytes.fill(0, macsAt, macsAt + lines * 4);
      exports.cryptoLines(CRYPTO_OPEN, bits, firstLine, lines);
      expect(hex(bytes.subarray(CRYPTO_LINES, macsAt))).toBe(hex(data));
      expect(hex(bytes.subarray(macsAt, macsAt + lines * 4))).toBe(hex(macs));
    }
  });
});
