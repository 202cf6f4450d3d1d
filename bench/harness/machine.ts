/** The machine that is measured: two packages, Ci, TD bit, MAC, poison; provenance and crypto vary. */
import { type CoreConfig, createCore, DEFAULT_CORE_CONFIG, type MemoryCore } from '../../bindings/index.ts';
import { expectBytes, expectEqual } from './bench.ts';
import { LINE, TIB } from './workload.ts';

/** A private KeyID, and another one: a read through it must be refused. */
export const KEY = 40;
export const OTHER_KEY = 41;
/** No integrity, TD bit 0. */
export const HOST_KEY = 0;
export const PACKAGE = 0;
export const OTHER_PACKAGE = 1;

export const CONFIG: CoreConfig = {
  ...DEFAULT_CORE_CONFIG,
  packages: 2,
  homes: [
    { base: 0, size: 4 * TIB, package: 0 },
    { base: 4 * TIB, size: 4 * TIB, package: 1 },
  ],
  sharedIntegrity: true,
};

export const EVENT = 7;

/** A machine powered on, with both private KeyIDs programmed on both packages. */
export function machine(changes: Partial<CoreConfig> = {}): MemoryCore {
  const core = createCore({ ...CONFIG, ...changes });
  for (const keyId of [KEY, OTHER_KEY]) {
    for (let pkg = 0; pkg < core.config.packages; pkg++) core.programKey(pkg, keyId, 'random');
  }
  core.setEvent(EVENT);
  return core;
}

/**
 * Gives a range to KEY, as TDX does before anybody uses it: a cached store reads the line for ownership first, and a private KeyID's read of a
 * line with TD bit 0 poisons it.
 */
export function own(core: MemoryCore, pa: number, length: number): void {
  core.movdir64bFill(PACKAGE, pa, length / LINE, KEY, 0n);
}

/** Provenance on and off, as the target table's two columns. */
export const COLUMNS = [true, false];

export function onOff(provenance: boolean): 'on' | 'off' {
  return provenance ? 'on' : 'off';
}

/**
 * All that `expected` gives (anew each time: Wasm memory may grow) lies in DRAM from `pa` on under the private `keyId`: data, KeyIDs, TD bits, writers, and another private KeyID is refused. Writes everything back first; poisons a line: the last thing done with a machine.
 */
export function expectMemory(core: MemoryCore, pa: number, keyId: number, expected: () => Uint8Array): void {
  const size = expected().length;
  for (let pkg = 0; pkg < core.config.packages; pkg++) core.wbinvd(pkg);
  let lines = 0;
  core.forEachRun(pa, size, (_, count, state) => {
    expectEqual('KeyID in DRAM', state.keyId, keyId);
    expectEqual('TD bit in DRAM', state.tdBit, true);
    expectEqual('poison in DRAM', state.poison, false);
    if (core.config.provenance) expectEqual('writer of the line', state.writer, EVENT);
    lines += count;
  });
  expectEqual('lines with TD bit 1', lines, size / LINE);
  const out = new Uint8Array(size);
  expectEqual('status of the read', core.read(PACKAGE, pa, keyId, out), 0);
  expectBytes('what was read', out, expected());
  const last = pa + size - LINE;
  expectBytes('last line, decrypted', core.plaintext(last), expected().subarray(size - LINE));
  expectEqual('status of a read with another key', core.dmaRead(last, LINE, OTHER_KEY), 1);
}
