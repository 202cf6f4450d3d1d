/** Compiles `assembly/crypto/` by itself, so that its functions are tested without the rest of the core. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import asc from 'assemblyscript/asc';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const ENTRY = 'crypto-entry.ts';
const ENTRY_TEXT = ['aes-xts', 'keccak', 'mac', 'key-stream', 'seal']
  .map((name) => `export * from './assembly/crypto/${name}';`)
  .join('\n');
const PAGE_BYTES = 65536;
/** Scratch slots behind the module's static data. */
const SLOTS = 16;
const SLOT_BYTES = 8192;

export interface CryptoExports {
  memory: WebAssembly.Memory;
  XTS_SCHEDULE_BYTES: WebAssembly.Global;
  deriveKey(seed: bigint, pkg: number, keyId: number, generation: number, aesBits: number, out: number): void;
  expandKey(key64: number, aesBits: number, schedule: number): void;
  xtsTweak(schedule: number, line: bigint, tweakOut: number): void;
  xtsEncryptLine(schedule: number, line: bigint, src: number, dst: number): void;
  xtsDecryptLine(schedule: number, line: bigint, src: number, dst: number): void;
  deriveMacKey(seed: bigint, out: number): void;
  xtsTweaks(schedule: number, firstLine: bigint, tweaksOut: number): void;
  cryptWithMacs(
    schedule: number,
    firstLine: bigint,
    lines: number,
    tdBit: number,
    macKey: number,
    src: number,
    dst: number,
    macsOut: number,
    encrypt: boolean,
  ): void;
  lineMacs(ciphertexts: number, tweaks: number, lines: number, tdBit: number, macKey: number, macsOut: number): void;
  lineMac(ciphertext: number, tweak: number, tdBit: number, macKey: number): number;
  sha3_256(src: number, len: number, dst: number): void;
  readonly statePair: WebAssembly.Global;
  keccakPair(): void;
}

async function compile(): Promise<Uint8Array> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [ENTRY, '--outFile', 'crypto.wasm', '--runtime', 'stub', '--enable', 'simd', '-O3', '--noAssert'],
    {
      readFile: (name: string, base: string) => {
        if (name === ENTRY) return ENTRY_TEXT;
        return name.endsWith('.ts') ? readFile(path.resolve(ROOT, base, name), 'utf8').catch(() => null) : null;
      },
      writeFile: (name: string, contents: Uint8Array | string) => {
        if (name === 'crypto.wasm' && typeof contents !== 'string') binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error || !binary) throw new Error(`asc failed: ${error?.message ?? ''}\n${stderr.toString()}`);
  return binary;
}

export class CryptoWasm {
  readonly wasm: CryptoExports;
  readonly #base: number;

  constructor(wasm: CryptoExports) {
    this.wasm = wasm;
    this.#base = wasm.memory.grow((SLOTS * SLOT_BYTES) / PAGE_BYTES) * PAGE_BYTES;
  }

  static async load(): Promise<CryptoWasm> {
    const module = await WebAssembly.compile((await compile()) as BufferSource);
    const instance = await WebAssembly.instantiate(module, { env: { abort: () => undefined } });
    return new CryptoWasm(instance.exports as unknown as CryptoExports);
  }

  /** Address of scratch slot `index` below SLOTS. */
  slot(index: number): number {
    return this.#base + index * SLOT_BYTES;
  }

  /** Expands data key ‖ tweak key, 16 or 32 bytes each, into slot `index`; its address. */
  schedule(index: number, keys: Uint8Array): number {
    const half = keys.length / 2;
    const key64 = new Uint8Array(64);
    key64.set(keys.subarray(0, half), 0);
    key64.set(keys.subarray(half), 32);
    this.wasm.expandKey(this.put(0, key64), half * 8, this.slot(index));
    return this.slot(index);
  }

  put(index: number, bytes: Uint8Array): number {
    new Uint8Array(this.wasm.memory.buffer).set(bytes, this.slot(index));
    return this.slot(index);
  }

  get(index: number, length: number): Uint8Array {
    return new Uint8Array(this.wasm.memory.buffer).slice(this.slot(index), this.slot(index) + length);
  }
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

/** Deterministic bytes for comparisons against a library. */
export function bytesOf(length: number, seed: number): Uint8Array {
  let x = (seed * 2654435761) >>> 0 || 1;
  return Uint8Array.from({ length }, () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x & 0xff;
  });
}

/** A line number as XTS takes it. */
export function dataUnit(line: bigint): Uint8Array {
  const iv = new Uint8Array(16);
  new DataView(iv.buffer).setBigUint64(0, line, true);
  return iv;
}
