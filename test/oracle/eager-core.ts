/**
 * The memory law in plain, slow TypeScript: the oracle of the Wasm core. It knows DESIGN.md §3 and docs/memory-law.md and nothing
 * of assembly/: each line is a record in a Map, each write encrypts and MACs at once with a library.
 */

import {
  type CachedCopy,
  type CoreBuffer,
  type CoreConfig,
  type DirectStore,
  type DirectWrite,
  type Displacement,
  type DramLine,
  type FaultRecord,
  type LineState,
  MAILBOX_BYTES,
  type Mailbox,
  type MemoryCore,
  OK,
  POISON,
  type Status,
} from '../../bindings/memory-core.ts';
import { Bounds, checkConfig } from './bounds.ts';
import { Coherence } from './coherence.ts';
import { Controller, type Origin } from './controller.ts';
import type { KeyMode } from './key-table.ts';
import { LINE_BYTES } from './line-crypto.ts';
import type { CachedLine } from './package-cache.ts';
import { Walker, type WalkResult } from './sept.ts';
import { newTally } from './tally.ts';

const NO_FAULT: FaultRecord = {
  pa: 0,
  keyId: 0,
  check: 'none',
  macWouldFire: null,
  tdBitWouldFire: false,
  poisonedBy: 0,
  storedKeyId: 0,
  storedTdBit: false,
  writer: 0,
};

/** One line's part of a range: where it lies in the line and in the caller's bytes. */
interface Piece {
  readonly line: number;
  readonly offset: number;
  readonly length: number;
  readonly at: number;
}

function* pieces(pa: number, length: number): Generator<Piece> {
  for (let at = 0; at < length; ) {
    const offset = (pa + at) % LINE_BYTES;
    const piece = Math.min(LINE_BYTES - offset, length - at);
    yield { line: Math.floor((pa + at) / LINE_BYTES), offset, length: piece, at };
    at += piece;
  }
}

function patternBytes(pattern: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < length; at += 8) view.setBigUint64(at, pattern, true);
  return bytes;
}

function copyOf({ pkg, cached }: { pkg: number; cached: CachedLine }): CachedCopy {
  const { keyId, dirty, poison, writer, bytes } = cached;
  return { package: pkg, keyId, dirty, poison: poison !== null, writer, data: bytes.slice() };
}

export class EagerCore implements MemoryCore {
  readonly config: CoreConfig;
  readonly mailbox: Mailbox;
  fault: FaultRecord = NO_FAULT;
  readonly #bounds: Bounds;
  readonly #tally = newTally();
  readonly #memory: Controller;
  readonly #caches: Coherence;
  readonly #walkers = new Map<number, Walker>();
  #walk: WalkResult = { status: 0, hpa: 0, entry: 0n, level: 0 };

  constructor(config: CoreConfig) {
    checkConfig(config);
    this.config = config;
    this.#bounds = new Bounds(config);
    this.#memory = new Controller(config, this.#tally);
    this.#caches = new Coherence(config, this.#memory, this.#tally);
    const bytes = new ArrayBuffer(MAILBOX_BYTES);
    this.mailbox = { u8: new Uint8Array(bytes), u32: new Uint32Array(bytes), u64: new BigUint64Array(bytes) };
  }

  load(pkg: number, pa: number, length: number, keyId: number): Status {
    this.#bounds.mailbox(pa, length);
    return this.read(pkg, pa, keyId, this.mailbox.u8.subarray(0, length));
  }

  store(pkg: number, pa: number, length: number, keyId: number): Status {
    this.#bounds.mailbox(pa, length);
    return this.write(pkg, pa, keyId, this.mailbox.u8.slice(0, length));
  }

  read(pkg: number, pa: number, keyId: number, out: Uint8Array): Status {
    this.#bounds.pkg(pkg);
    this.#bounds.range(pa, out.length);
    this.#bounds.keyId(keyId);
    for (const { line, offset, length, at } of pieces(pa, out.length)) {
      const cached = this.#caches.load(pkg, line, keyId);
      this.#tally.linesRead += 1;
      if (cached.poison) return this.#consume(line, keyId, cached.poison);
      out.set(cached.bytes.subarray(offset, offset + length), at);
    }
    return OK;
  }

  write(pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status {
    this.#bounds.pkg(pkg);
    this.#bounds.range(pa, bytes.length);
    this.#bounds.keyId(keyId);
    for (const { line, offset, length, at } of pieces(pa, bytes.length)) {
      this.#tally.linesWritten += 1;
      this.#caches.store(pkg, line, keyId, offset, bytes.subarray(at, at + length));
    }
    return OK;
  }

  fill(pkg: number, pa: number, length: number, keyId: number, pattern: bigint): Status {
    this.#bounds.range(pa, length);
    this.#bounds.aligned(pa, 8);
    this.#bounds.aligned(length, 8);
    this.#bounds.pattern(pattern);
    return this.write(pkg, pa, keyId, patternBytes(pattern, length));
  }

  speculate(pkg: number, pa: number, keyId: number): void {
    this.#bounds.pkg(pkg);
    this.#bounds.range(pa, 1);
    this.#bounds.keyId(keyId);
    this.#tally.speculativeLoads += 1;
    this.#caches.load(pkg, Math.floor(pa / LINE_BYTES), keyId);
  }

  exchange64(pkg: number, pa: number, keyId: number, expected: bigint, desired: bigint): bigint | null {
    this.#bounds.aligned(pa, 8);
    const old = new Uint8Array(8);
    if (this.read(pkg, pa, keyId, old) === POISON) return null;
    const value = new DataView(old.buffer).getBigUint64(0, true);
    if (value === expected) this.write(pkg, pa, keyId, patternBytes(desired, 8));
    return value;
  }

  movdir64b(pkg: number, pa: number, keyId: number): void {
    this.#directLines(pkg, pa, 1, keyId, this.mailbox.u8.slice(0, LINE_BYTES));
  }

  movdir64bFill(pkg: number, pa: number, lines: number, keyId: number, pattern: bigint): void {
    this.#bounds.pattern(pattern);
    this.#directLines(pkg, pa, lines, keyId, patternBytes(pattern, LINE_BYTES));
  }

  movdir64bCopy(
    pkg: number,
    targetPa: number,
    targetKeyId: number,
    sourcePa: number,
    sourceKeyId: number,
    lines: number,
  ): Status {
    this.#bounds.lines(targetPa, lines);
    this.#bounds.lines(sourcePa, lines);
    this.#bounds.keyId(targetKeyId);
    for (let i = 0; i < lines; ++i) {
      const bytes = new Uint8Array(LINE_BYTES);
      if (this.read(pkg, sourcePa + i * LINE_BYTES, sourceKeyId, bytes) === POISON) return POISON;
      this.#directLines(pkg, targetPa + i * LINE_BYTES, 1, targetKeyId, bytes);
    }
    return OK;
  }

  directStore(kind: DirectStore, pkg: number, pa: number, length: number, keyId: number): Status {
    this.#bounds.pkg(pkg);
    this.#bounds.mailbox(pa, length);
    this.#bounds.keyId(keyId);
    return this.directWrite(kind, pkg, pa, keyId, this.mailbox.u8.slice(0, length));
  }

  dmaRead(pa: number, length: number, keyId: number): Status {
    this.#bounds.mailbox(pa, length);
    return this.dmaReadInto(pa, keyId, this.mailbox.u8.subarray(0, length));
  }

  directWrite(kind: DirectWrite, pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status {
    this.#bounds.pkg(pkg);
    this.#bounds.range(pa, bytes.length);
    this.#bounds.keyId(keyId);
    if (kind === 'movdir64b') {
      this.#bounds.aligned(pa, LINE_BYTES);
      this.#bounds.aligned(bytes.length, LINE_BYTES);
    }
    for (const { line, offset, length, at } of pieces(pa, bytes.length)) {
      const piece = bytes.slice(at, at + length);
      if (kind === 'movdir64b') this.#directLines(pkg, line * LINE_BYTES, 1, keyId, piece);
      else this.#caches.direct(line, keyId, offset, piece, kind);
    }
    return OK;
  }

  dmaReadInto(pa: number, keyId: number, out: Uint8Array): Status {
    this.#bounds.range(pa, out.length);
    this.#bounds.keyId(keyId);
    for (const piece of pieces(pa, out.length)) {
      const { bytes, poison } = this.#caches.deviceRead(piece.line, keyId);
      if (poison) return this.#consume(piece.line, keyId, poison);
      out.set(bytes.subarray(piece.offset, piece.offset + piece.length), piece.at);
    }
    return OK;
  }

  check(pa: number, length: number, keyId: number): Status {
    this.#bounds.range(pa, length);
    this.#bounds.keyId(keyId);
    for (const { line } of pieces(pa, length)) {
      const { poison } = this.#caches.deviceRead(line, keyId);
      if (poison) return this.#consume(line, keyId, poison);
    }
    return OK;
  }

  buffer(bytes: number): CoreBuffer {
    return { u8: new Uint8Array(bytes) };
  }

  clflush(pa: number, lines: number, keyId: number): void {
    this.#bounds.lines(pa, lines);
    this.#bounds.keyId(keyId);
    for (let i = 0; i < lines; ++i) this.#caches.flush(pa / LINE_BYTES + i, keyId, 'clflush');
  }

  wbinvd(pkg: number): void {
    this.#bounds.pkg(pkg);
    this.#caches.writeBackAll(pkg, 'wbinvd');
  }

  wbnoinvd(pkg: number): void {
    this.#bounds.pkg(pkg);
    this.#caches.writeBackAll(pkg, 'wbnoinvd');
  }

  evict(pkg: number, pa: number, keyId: number): boolean {
    this.#bounds.pkg(pkg);
    this.#bounds.range(pa, 1);
    this.#bounds.keyId(keyId);
    return this.#caches.evict(pkg, Math.floor(pa / LINE_BYTES), keyId);
  }

  evictSome(pkg: number, count: number): number {
    this.#bounds.pkg(pkg);
    return this.#caches.evictSome(pkg, count);
  }

  programKey(pkg: number, keyId: number, mode: KeyMode): void {
    this.#bounds.pkg(pkg);
    this.#bounds.programmableKeyId(keyId);
    this.#memory.keys.program(pkg, keyId, mode, this.mailbox.u8);
  }

  capture(pa: number): DramLine {
    this.#bounds.lines(pa, 1);
    return this.#memory.capture(pa / LINE_BYTES);
  }

  replay(pa: number, line: DramLine): void {
    this.#bounds.lines(pa, 1);
    this.#memory.replay(pa / LINE_BYTES, line);
  }

  flip(pa: number, what: 'data' | 'mac' | 'td-bit' | 'poison', bit = 0): void {
    this.#bounds.lines(pa, 1);
    this.#bounds.index(bit, { data: 512, mac: this.config.macBits, 'td-bit': 1, poison: 1 }[what]);
    this.#memory.flip(pa / LINE_BYTES, what, bit);
  }

  inspect(pa: number): LineState {
    this.#bounds.range(pa, 1);
    return this.#memory.inspect(Math.floor(pa / LINE_BYTES));
  }

  plaintext(pa: number): Uint8Array {
    this.#bounds.range(pa, 1);
    return this.#memory.plaintext(Math.floor(pa / LINE_BYTES));
  }

  nextNonZero(pa: number, end: number): number {
    this.#bounds.range(pa, end - pa);
    const isNonZero = (line: number): boolean => this.#memory.plaintext(line).some((byte) => byte !== 0);
    const line = this.#memory.touchedLines(pa, end).find(isNonZero);
    return line === undefined ? -1 : line * LINE_BYTES;
  }

  cachedCopies(pa: number): CachedCopy[] {
    this.#bounds.range(pa, 1);
    const line = Math.floor(pa / LINE_BYTES);
    const held = this.#caches.held().filter(({ cached }) => cached.line === line);
    return held.map(copyOf);
  }

  forEachRun(pa: number, length: number, visit: (pa: number, lines: number, state: LineState) => void): void {
    this.#bounds.range(pa, length);
    let run: { first: number; lines: number; state: LineState } | null = null;
    for (const line of this.#memory.touchedLines(pa, pa + length)) {
      const state = this.#memory.inspect(line);
      if (!state.tdBit && !state.poison) continue;
      if (run && line === run.first + run.lines && JSON.stringify(state) === JSON.stringify(run.state)) {
        run.lines += 1;
        continue;
      }
      if (run) visit(run.first * LINE_BYTES, run.lines, run.state);
      run = { first: line, lines: 1, state };
    }
    if (run) visit(run.first * LINE_BYTES, run.lines, run.state);
  }

  forEachCached(pa: number, length: number, visit: (pa: number, copy: CachedCopy) => void): void {
    this.#bounds.range(pa, length);
    const inRange = ({ line }: CachedLine): boolean => line >= Math.floor(pa / LINE_BYTES) && line * LINE_BYTES < pa + length;
    for (const held of this.#caches.held()) if (inRange(held.cached)) visit(held.cached.line * LINE_BYTES, copyOf(held));
  }

  coldReset(): void {
    this.#caches.drop();
    this.#memory.coldReset();
    for (const walker of this.#walkers.values()) walker.invalidate();
  }

  warmReset(): void {
    for (let pkg = 0; pkg < this.config.packages; ++pkg) this.wbinvd(pkg);
    this.#memory.keys.powerOn();
    for (const walker of this.#walkers.values()) walker.invalidate();
  }

  setEvent(id: number): void {
    this.#memory.event = id;
  }

  displacements(pa: number): Displacement[] {
    this.#bounds.range(pa, 1);
    return this.#memory.displacements(Math.floor(pa / LINE_BYTES));
  }

  counters(): Record<string, number> {
    return { ...this.#tally };
  }

  memoryUsed(): number {
    return MAILBOX_BYTES;
  }

  septSetRoot(lp: number, slot: number, rootPa: number, keyId: number, levels: number): void {
    this.#bounds.range(rootPa, 4096);
    this.#bounds.aligned(rootPa, 4096);
    this.#bounds.keyId(keyId);
    this.#walker(lp).setRoot(slot, { rootPa, keyId, levels });
  }

  septWalk(lp: number, slot: number, pkg: number, gpa: number, write: boolean): number {
    const entry = new Uint8Array(8);
    this.#walk = this.#walker(lp).walk(slot, gpa, write, (pa, keyId) => {
      if (this.read(pkg, pa, keyId, entry) === POISON) return null;
      return new DataView(entry.buffer).getBigUint64(0, true);
    });
    return this.#walk.status;
  }

  septWalkMany(lp: number, slot: number, pkg: number, gpas: Float64Array, write: boolean, hpas: Float64Array): number {
    for (const [i, gpa] of gpas.entries()) {
      if (this.septWalk(lp, slot, pkg, gpa, write) !== 0) return i;
      hpas[i] = this.#walk.hpa;
    }
    return gpas.length;
  }

  get walkStatus(): number {
    return this.#walk.status;
  }

  get walkHpa(): number {
    return this.#walk.hpa;
  }

  get walkEntry(): bigint {
    return this.#walk.entry;
  }

  get walkLevel(): number {
    return this.#walk.level;
  }

  invept(lp: number): void {
    this.#walker(lp).invalidate();
  }

  #walker(lp: number): Walker {
    let walker = this.#walkers.get(lp);
    if (!walker) {
      walker = new Walker(this.config.maxPhysAddrBits);
      this.#walkers.set(lp, walker);
    }
    return walker;
  }

  #directLines(pkg: number, pa: number, lines: number, keyId: number, bytes: Uint8Array): void {
    this.#bounds.pkg(pkg);
    this.#bounds.lines(pa, lines);
    this.#bounds.keyId(keyId);
    for (let i = 0; i < lines; ++i) {
      this.#tally.movdir64bLines += 1;
      this.#caches.direct(pa / LINE_BYTES + i, keyId, 0, bytes, 'movdir64b');
    }
  }

  #consume(line: number, keyId: number, origin: Origin): Status {
    this.#tally.poisonConsumed += 1;
    this.fault = this.#memory.faultOf(line, keyId, origin);
    return POISON;
  }
}
