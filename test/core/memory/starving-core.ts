/**
 * The core with its arena at the mercy of a test: built from the same sources, but five words behind the mailbox say when a request
 * for memory is refused. A block that a step takes without having asked for it is an error of its own.
 */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import asc from 'assemblyscript/asc';
import { expect } from 'vitest';
import { type CoreConfig, CoreMisuse, createCore, type MemoryCore } from '../../../bindings/index.ts';
import { MAILBOX_BYTES } from '../../../bindings/memory-core.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');

/** Requests so far; the first one that is refused, or 0; how many are; bytes that a full heap still has, plus 1, or 0; has it blocks? */
const REQUESTS = 0;
const REFUSE_FROM = 1;
const REFUSALS = 2;
const SQUEEZE = 3;
const BLOCKS = 4;
const WORDS = 5;

const CONTROL = `
import { mailbox as control } from './memory-map';
import { MAILBOX_SIZE } from './layout';
let squeezed: bool = false;
/** Every slab keeps just the blocks that a step may take, or none. */
function trim(slab: usize): void {
  const size = load<u32>(slab, SIZE);
  const kept = load<u32>(word(${BLOCKS})) != 0 ? load<u32>(slab, STEP) : 0;
  store<u32>(slab, load<u32>(slab, END), NEXT);
  while (load<u32>(slab, FREE_COUNT) > kept) takeFree(slab);
  while (load<u32>(slab, FREE_COUNT) < kept) {
    const block = alignUp(brk, size);
    if (block + size > top) growTo(<u64>block + size);
    brk = block + size;
    putBack(slab, block);
  }
}
function squeeze(room: u32): void {
  for (let i: u32 = 0; i < slabCount; ++i) trim(slabs + i * SLAB_BYTES);
  if (top - brk < room) growTo(<u64>brk + room);
  brk = top - <usize>(room & ~63);
}
function word(i: u32): usize {
  return control + MAILBOX_SIZE + ((<usize>i) << 2);
}
function obey(): void {
  const room = load<u32>(word(${SQUEEZE}));
  if (room != 0 && !squeezed) squeeze(room - 1);
  squeezed = room != 0;
}
function isRefused(): bool {
  const request = load<u32>(word(${REQUESTS})) + 1;
  store<u32>(word(${REQUESTS}), request);
  obey();
  const first = load<u32>(word(${REFUSE_FROM}));
  return first != 0 && request - first < load<u32>(word(${REFUSALS}));
}
`;

/** What is changed in which source. Every text must be there. */
const CHANGES: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  'assembly/arena.ts': [
    ['const PAGE_SHIFT', `${CONTROL}const PAGE_SHIFT`],
    ['  if (end > <u64>maxTop) return false;', '  if (squeezed || end > <u64>maxTop) return false;'],
    ['max<usize>(missing, max<usize>(1 << 20, top >> 3))', 'missing'],
    ['  if (top - brk < STEP_BYTES &&', '  if (isRefused()) outOfMemory();\n  if (top - brk < STEP_BYTES &&'],
    ['  return top - brk >= STEP_BYTES ||', '  if (isRefused()) return false;\n  return top - brk >= STEP_BYTES ||'],
    ['  return <u64>(top - brk) >= bytes ||', '  obey();\n  return <u64>(top - brk) >= bytes ||'],
    ['outOfMemory();\n  }\n  idle', 'abort(null, null, 1, load<u32>(slab, SIZE));\n  }\n  idle'],
  ],
  // Instances run short every few programmings.
  'assembly/keys.ts': [['const CHUNK_SHIFT: u32 = 8;', 'const CHUNK_SHIFT: u32 = 2;']],
  'assembly/memory-map.ts': [['memory.data(MAILBOX_SIZE,', `memory.data(MAILBOX_SIZE + ${4 * WORDS},`]],
};

async function sourceOf(name: string, base: string): Promise<string | null> {
  const file = path.resolve(ROOT, base, name);
  let text = await readFile(file, 'utf8').catch(() => null);
  for (const [from, to] of CHANGES[path.relative(ROOT, file)] ?? []) {
    if (!text?.includes(from)) throw new Error(`${name} has no "${from}": the test must be brought in line`);
    text = text.replace(from, () => to);
  }
  return text;
}

async function compile(): Promise<WebAssembly.Module> {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const flags = ['--runtime', 'stub', '--enable', 'simd', '--maximumMemory', '65536', '-O1', '--noAssert'];
  const { error, stderr } = await asc.main(['assembly/index.ts', '--outFile', 'core.wasm', ...flags], {
    readFile: (name: string, base: string) => (name.endsWith('.ts') ? sourceOf(name, base) : null),
    writeFile: (name: string, contents: Uint8Array | string) => {
      if (name === 'core.wasm' && typeof contents !== 'string') binary = new Uint8Array(contents);
    },
    listFiles: () => [],
  });
  if (error || !binary) throw new Error(`assembly/ does not compile: ${stderr.toString()}`);
  return new WebAssembly.Module(binary);
}

let compiled: Promise<WebAssembly.Module> | undefined;

/** A machine, and the hand on its heap. */
export interface StarvingCore {
  readonly core: MemoryCore;
  /** Refuses so many requests for memory after the next `after`. */
  refuse(after: number, times: number): void;
  /** The heap keeps `room` free bytes, and in each slab the blocks of one step or none, and does not grow. */
  squeeze(room: number, blocks: boolean): void;
  /** From now on there is memory again. */
  feed(): void;
}

export async function starvingCores(): Promise<(config: CoreConfig) => StarvingCore> {
  compiled ??= compile();
  const module = await compiled;
  return (config) => {
    const core = createCore(config, module);
    const words = (): Uint32Array => {
      const { buffer, byteOffset } = core.mailbox.u8;
      return new Uint32Array(buffer, byteOffset + MAILBOX_BYTES, WORDS);
    };
    return {
      core,
      refuse: (after, times) => words().set([words()[REQUESTS]! + 1 + after, times], REFUSE_FROM),
      squeeze: (room, blocks) => {
        words().set([room + 1, Number(blocks)], SQUEEZE);
        // It happens now, not when the next operation asks, if it does.
        expect(() => core.buffer(2 ** 31)).toThrow(CoreMisuse);
      },
      feed: () => words().fill(0, REFUSE_FROM),
    };
  };
}
