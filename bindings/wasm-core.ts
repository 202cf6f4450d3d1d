/** The Wasm implementation of {@link MemoryCore}: checks, then one call each. */
import * as L from '../assembly/layout.ts';
import { COUNTER_NAMES } from '../src/spec/counters.ts';
import { Checks, checkConfig } from './checks.ts';
import { compileCore, instantiateCore, outOfMemory } from './compile.ts';
import { writeConfig } from './config-struct.ts';
import type { CoreExports } from './core-exports.ts';
import type {
  CachedCopy,
  CoreBuffer,
  CoreConfig,
  DirectStore,
  DirectWrite,
  Displacement,
  DramLine,
  FaultRecord,
  LineState,
  Mailbox,
  MemoryCore,
  Status,
} from './memory-core.ts';
import { CoreMisuse, MAILBOX_BYTES } from './memory-core.ts';
import { Records } from './records.ts';
import { Transfers } from './transfers.ts';

const DIRECT_CAUSE: Record<DirectWrite, number> = {
  movdir64b: L.CAUSE_MOVDIR64B,
  'nt-store': L.CAUSE_NT_STORE,
  'uc-store': L.CAUSE_UC_STORE,
  dma: L.CAUSE_DMA,
};
const KEY_MODE = {
  random: L.KEY_MODE_RANDOM,
  direct: L.KEY_MODE_DIRECT,
  clear: L.KEY_MODE_CLEAR,
  'no-encrypt': L.KEY_MODE_NO_ENCRYPT,
};
const FLIP = { data: L.FLIP_DATA, mac: L.FLIP_MAC, 'td-bit': L.FLIP_TD_BIT, poison: L.FLIP_POISON };
const LINE_BYTES = 64;
const PAGE_BYTES = 4096;
export const WASM_PAGE_BYTES = 65536;
const MAX_WASM_PAGES = 65535;
/** Half the mailbox takes doubles, half gives them. */
const WALKS_A_CALL = MAILBOX_BYTES / 16;

/** Limits of one machine beside its hardware. */
export interface CoreOptions {
  /** Most bytes of Wasm memory that the machine may use (default: 4 GiB less 64 KiB). */
  readonly maxMemoryBytes?: number;
}

/** Whole numbers that Wasm takes as they are; what they stand for is for others to look at. */
function areWords(a: number, b: number, c: number): boolean {
  return (a | 0) === a && (b | 0) === b && (c | 0) === c;
}

function lineOf(pa: number): number {
  return Math.floor(pa / LINE_BYTES);
}

class WasmCore implements MemoryCore {
  readonly config: CoreConfig;
  readonly #core: CoreExports;
  readonly #records: Records;
  readonly #check: Checks;
  readonly #transfers: Transfers;
  readonly #mailbox: number;
  // As fields of their own: a look-up in the exports costs as much as the hit.
  readonly #loadHit: CoreExports['loadHit'];
  readonly #storeHit: CoreExports['storeHit'];
  readonly #movdir64bHit: CoreExports['movdir64bHit'];
  readonly #dmaReadHit: CoreExports['dmaReadHit'];
  readonly #checkHit: CoreExports['checkHit'];

  constructor(config: CoreConfig, core: CoreExports, maxPages: number) {
    this.config = config;
    this.#core = core;
    this.#check = new Checks(config);
    this.#records = new Records(core);
    this.#transfers = new Transfers(core, this.#records);
    this.#mailbox = Number(core.mailbox.value);
    this.#loadHit = core.loadHit;
    this.#storeHit = core.storeHit;
    this.#movdir64bHit = core.movdir64bHit;
    this.#dmaReadHit = core.dmaReadHit;
    this.#checkHit = core.checkHit;
    writeConfig(this.#records.mailboxView, config, maxPages);
    core.init();
    this.#records.u8.fill(0);
  }

  get mailbox(): Mailbox {
    return this.#records;
  }

  #access(pkg: number, pa: number, length: number, keyId: number): void {
    this.#check.package(pkg);
    this.#check.range(pa, length);
    this.#check.keyId(keyId);
  }

  #line(pkg: number, pa: number, keyId: number): void {
    this.#check.package(pkg);
    this.#check.address(pa);
    this.#check.keyId(keyId);
  }

  load(pkg: number, pa: number, length: number, keyId: number): Status {
    const loadHit = this.#loadHit;
    if (areWords(pkg, length, keyId) && loadHit(pkg, pa, length, keyId) !== 0) return 0;
    return this.#load(pkg, pa, length, keyId);
  }

  #load(pkg: number, pa: number, length: number, keyId: number): Status {
    this.#access(pkg, pa, length, keyId);
    this.#check.upTo(length, MAILBOX_BYTES);
    return this.#core.load_(pkg, pa, length, keyId, this.#mailbox) as Status;
  }

  store(pkg: number, pa: number, length: number, keyId: number): Status {
    const storeHit = this.#storeHit;
    if (areWords(pkg, length, keyId) && storeHit(pkg, pa, length, keyId) !== 0) return 0;
    return this.#store(pkg, pa, length, keyId);
  }

  #store(pkg: number, pa: number, length: number, keyId: number): Status {
    this.#access(pkg, pa, length, keyId);
    this.#check.upTo(length, MAILBOX_BYTES);
    this.#core.store_(pkg, pa, length, keyId, this.#mailbox);
    return 0;
  }

  read(pkg: number, pa: number, keyId: number, out: Uint8Array): Status {
    this.#access(pkg, pa, out.length, keyId);
    const core = this.#core;
    return this.#transfers.read(pa, out, {
      plan: (at, length) => core.planLoad(pkg, at, length, keyId),
      piece: (at, length, address) => core.load_(pkg, at, length, keyId, address),
    });
  }

  write(pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status {
    this.#access(pkg, pa, bytes.length, keyId);
    const core = this.#core;
    this.#transfers.write(pa, bytes, {
      plan: (at, length) => core.planStore(pkg, at, length, keyId),
      piece: (at, length, address) => core.store_(pkg, at, length, keyId, address),
    });
    return 0;
  }

  fill(pkg: number, pa: number, length: number, keyId: number, pattern: bigint): Status {
    this.#access(pkg, pa, length, keyId);
    this.#check.aligned(pa, 8, 'address');
    this.#check.aligned(length, 8, 'length');
    this.#check.pattern(pattern);
    this.#core.fill(pkg, pa, length, keyId, pattern);
    return 0;
  }

  speculate(pkg: number, pa: number, keyId: number): void {
    this.#line(pkg, pa, keyId);
    this.#core.speculate(pkg, pa, keyId);
  }

  exchange64(pkg: number, pa: number, keyId: number, expected: bigint, desired: bigint): bigint | null {
    this.#access(pkg, pa, 8, keyId);
    this.#check.aligned(pa, 8, 'address');
    this.#check.pattern(expected);
    this.#check.pattern(desired);
    if (this.#core.exchange64(pkg, pa, keyId, expected, desired) !== 0) return null;
    return this.#records.u64[0]!;
  }

  movdir64b(pkg: number, pa: number, keyId: number): void {
    const movdir64bHit = this.#movdir64bHit;
    if (areWords(pkg, keyId, 0) && movdir64bHit(pkg, pa, keyId) !== 0) return;
    this.#movdir64b(pkg, pa, keyId);
  }

  #movdir64b(pkg: number, pa: number, keyId: number): void {
    this.#line(pkg, pa, keyId);
    this.#check.aligned(pa, LINE_BYTES, 'address');
    this.#core.movdir64b(lineOf(pa), keyId);
  }

  movdir64bFill(pkg: number, pa: number, lines: number, keyId: number, pattern: bigint): void {
    this.#line(pkg, pa, keyId);
    this.#check.aligned(pa, LINE_BYTES, 'address');
    this.#check.lines(pa, lines);
    this.#check.pattern(pattern);
    this.#core.movdir64bFill(lineOf(pa), lines, keyId, pattern);
  }

  movdir64bCopy(
    pkg: number,
    targetPa: number,
    targetKeyId: number,
    sourcePa: number,
    sourceKeyId: number,
    lines: number,
  ): Status {
    this.#line(pkg, targetPa, targetKeyId);
    this.#line(pkg, sourcePa, sourceKeyId);
    this.#check.aligned(targetPa, LINE_BYTES, 'target');
    this.#check.aligned(sourcePa, LINE_BYTES, 'source');
    this.#check.lines(targetPa, lines);
    this.#check.lines(sourcePa, lines);
    return this.#core.movdir64bCopy(pkg, lineOf(targetPa), targetKeyId, lineOf(sourcePa), sourceKeyId, lines) as Status;
  }

  directStore(kind: DirectStore, pkg: number, pa: number, length: number, keyId: number): Status {
    this.#access(pkg, pa, length, keyId);
    this.#check.upTo(length, MAILBOX_BYTES);
    this.#core.directStore(DIRECT_CAUSE[kind], pa, length, keyId, this.#mailbox);
    return 0;
  }

  dmaRead(pa: number, length: number, keyId: number): Status {
    const dmaReadHit = this.#dmaReadHit;
    if (areWords(length, keyId, 0) && dmaReadHit(pa, length, keyId) !== 0) return 0;
    return this.#dmaRead(pa, length, keyId);
  }

  #dmaRead(pa: number, length: number, keyId: number): Status {
    this.#access(0, pa, length, keyId);
    this.#check.upTo(length, MAILBOX_BYTES);
    return this.#core.dmaRead(pa, length, keyId, this.#mailbox) as Status;
  }

  directWrite(kind: DirectWrite, pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status {
    this.#access(pkg, pa, bytes.length, keyId);
    if (kind === 'movdir64b') {
      this.#check.aligned(pa, LINE_BYTES, 'address');
      this.#check.aligned(bytes.length, LINE_BYTES, 'length');
    }
    const core = this.#core;
    const cause = DIRECT_CAUSE[kind];
    this.#transfers.write(pa, bytes, {
      plan: (at, length) => core.planDirect(cause, at, length, keyId),
      piece: (at, length, address) => core.directStore(cause, at, length, keyId, address),
    });
    return 0;
  }

  dmaReadInto(pa: number, keyId: number, out: Uint8Array): Status {
    this.#access(0, pa, out.length, keyId);
    const core = this.#core;
    return this.#transfers.read(pa, out, {
      plan: (at, length) => core.planDma(at, length, keyId),
      piece: (at, length, address) => core.dmaRead(at, length, keyId, address),
    });
  }

  check(pa: number, length: number, keyId: number): Status {
    const checkHit = this.#checkHit;
    if (areWords(length, keyId, 0) && checkHit(pa, length, keyId) !== 0) return 0;
    return this.#checkLines(pa, length, keyId);
  }

  #checkLines(pa: number, length: number, keyId: number): Status {
    this.#access(0, pa, length, keyId);
    if (length === 0) return 0;
    return this.#core.checkRange(lineOf(pa), lineOf(pa + length - 1) + 1, keyId) as Status;
  }

  buffer(bytes: number): CoreBuffer {
    this.#check.count(bytes, 'bytes');
    const at = bytes < 2 ** 32 ? this.#core.allocateBuffer(bytes) >>> 0 : 0;
    if (at === 0) throw outOfMemory();
    return this.#records.buffer(at, bytes);
  }

  clflush(pa: number, lines: number, keyId: number): void {
    this.#line(0, pa, keyId);
    this.#check.lines(pa, lines);
    this.#core.clflush(lineOf(pa), lines, keyId);
  }

  wbinvd(pkg: number): void {
    this.#check.package(pkg);
    this.#core.wbinvd(pkg);
  }

  wbnoinvd(pkg: number): void {
    this.#check.package(pkg);
    this.#core.wbnoinvd(pkg);
  }

  evict(pkg: number, pa: number, keyId: number): boolean {
    this.#line(pkg, pa, keyId);
    return this.#core.evict(pkg, lineOf(pa), keyId) !== 0;
  }

  evictSome(pkg: number, count: number): number {
    this.#check.package(pkg);
    this.#check.count(count, 'count');
    return this.#core.evictSome(pkg, Math.min(count, 0xffffffff)) >>> 0;
  }

  programKey(pkg: number, keyId: number, mode: keyof typeof KEY_MODE): void {
    this.#check.package(pkg);
    this.#check.keyId(keyId);
    if (keyId === 0) throw new CoreMisuse('KEYID_RANGE', 'KeyID 0 is the TME key: nobody programs it');
    this.#core.programKey(pkg, keyId, KEY_MODE[mode]);
  }

  capture(pa: number): DramLine {
    this.#check.address(pa);
    this.#core.capture(lineOf(pa));
    return this.#records.dramLine();
  }

  replay(pa: number, line: DramLine): void {
    this.#check.address(pa);
    if (line.ciphertext.length !== LINE_BYTES)
      throw new CoreMisuse('LENGTH_RANGE', `ciphertext has ${line.ciphertext.length} bytes: a line has 64`);
    this.#records.putDramLine(line);
    this.#core.replay(lineOf(pa));
  }

  flip(pa: number, what: keyof typeof FLIP, bit = 0): void {
    this.#check.address(pa);
    if (what === 'data') this.#check.bit(bit, 512);
    if (what === 'mac') this.#check.bit(bit, this.config.macBits);
    this.#core.flip(lineOf(pa), FLIP[what], bit);
  }

  inspect(pa: number): LineState {
    this.#check.address(pa);
    this.#core.inspect(lineOf(pa));
    return this.#records.lineState();
  }

  plaintext(pa: number): Uint8Array {
    this.#check.address(pa);
    this.#core.plaintext(lineOf(pa));
    return this.#records.lineBytes();
  }

  nextNonZero(pa: number, end: number): number {
    this.#check.range(pa, end - pa);
    const line = this.#core.nextNonZero(lineOf(pa), Math.ceil(end / LINE_BYTES));
    return line < 0 ? -1 : line * LINE_BYTES;
  }

  cachedCopies(pa: number): CachedCopy[] {
    this.#check.address(pa);
    const copies: CachedCopy[] = [];
    for (const line = lineOf(pa); this.#core.cachedCopy(line, copies.length) !== 0; ) copies.push(this.#records.cachedCopy());
    return copies;
  }

  forEachRun(pa: number, length: number, visit: (pa: number, lines: number, state: LineState) => void): void {
    this.#check.range(pa, length);
    const end = Math.ceil((pa + length) / LINE_BYTES);
    for (let at = lineOf(pa); this.#core.nextRun(at, end) !== 0; ) {
      const { line, lines } = this.#records.run();
      at = line + lines;
      visit(line * LINE_BYTES, lines, this.#records.lineState());
    }
  }

  forEachCached(pa: number, length: number, visit: (pa: number, copy: CachedCopy) => void): void {
    this.#check.range(pa, length);
    const end = Math.ceil((pa + length) / LINE_BYTES);
    for (let line = lineOf(pa); ; line++) {
      line = this.#core.nextCachedLine(line, end);
      if (line < 0) return;
      for (const copy of this.cachedCopies(line * LINE_BYTES)) visit(line * LINE_BYTES, copy);
    }
  }

  coldReset(): void {
    this.#core.coldReset();
  }

  warmReset(): void {
    this.#core.warmReset();
  }

  setEvent(id: number): void {
    this.#check.event(id);
    this.#core.setEvent(id);
  }

  get fault(): FaultRecord {
    return this.#records.fault();
  }

  displacements(pa: number): Displacement[] {
    this.#check.address(pa);
    const found: Displacement[] = [];
    const line = lineOf(pa);
    for (let from = 0; ; from = this.#core.foundDisplacement() + 1) {
      const at = this.#core.findDisplacement(line, from) >>> 0;
      if (at === 0) return found;
      found.push(this.#records.displacement(at, line * LINE_BYTES));
    }
  }

  counters(): Record<string, number> {
    return Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, this.#core.counter(i)]));
  }

  memoryUsed(): number {
    return this.#core.memoryUsed();
  }

  septSetRoot(lp: number, slot: number, rootPa: number, keyId: number, levels: number): void {
    this.#check.lp(lp, slot);
    this.#line(0, rootPa, keyId);
    this.#check.aligned(rootPa, PAGE_BYTES, 'root');
    if (levels !== 4 && levels !== 5) throw new CoreMisuse('LENGTH_RANGE', `levels ${levels}: an S-EPT has 4 or 5`);
    this.#core.septSetRoot(lp, slot, rootPa, keyId, levels);
  }

  septWalk(lp: number, slot: number, pkg: number, gpa: number, write: boolean): number {
    this.#check.lp(lp, slot);
    this.#check.package(pkg);
    this.#check.guestAddress(gpa);
    return this.#core.septWalk(lp, slot, pkg, gpa, write);
  }

  septWalkMany(lp: number, slot: number, pkg: number, gpas: Float64Array, write: boolean, hpas: Float64Array): number {
    this.#check.lp(lp, slot);
    this.#check.package(pkg);
    this.#check.room(gpas, hpas);
    const staged = this.#stageGuestAddresses(gpas);
    for (let at = 0; at < gpas.length; at += WALKS_A_CALL) {
      const some = staged ? gpas : gpas.subarray(at, at + WALKS_A_CALL);
      if (!staged) this.#records.doublesIn.set(some);
      const mapped = this.#core.septWalkMany(lp, slot, pkg, some.length, write) >>> 0;
      hpas.set(this.#records.doublesOut.subarray(0, mapped), at);
      if (mapped < some.length) return at + mapped;
    }
    return gpas.length;
  }

  /** Nothing is walked unless all are guest addresses. True when the mailbox has them all. */
  #stageGuestAddresses(gpas: Float64Array): boolean {
    const fits = gpas.length <= WALKS_A_CALL;
    for (let at = 0; at < gpas.length; at += WALKS_A_CALL) {
      const some = fits ? gpas : gpas.subarray(at, at + WALKS_A_CALL);
      this.#records.doublesIn.set(some);
      if (!this.#core.areGuestAddresses(some.length)) this.#check.guestAddresses(some);
    }
    return fits;
  }

  get walkStatus(): number {
    return this.#records.walkStatus;
  }

  get walkHpa(): number {
    return this.#records.walkHpa;
  }

  get walkEntry(): bigint {
    return this.#records.walkEntry;
  }

  get walkLevel(): number {
    return this.#records.walkLevel;
  }

  invept(lp: number): void {
    this.#check.lp(lp, 0);
    this.#core.invept(lp);
  }
}

/** The most pages of Wasm memory that a machine may use. */
export function memoryPages(options: CoreOptions): number {
  const limit = options.maxMemoryBytes ?? MAX_WASM_PAGES * WASM_PAGE_BYTES;
  const maxPages = Math.min(MAX_WASM_PAGES, Math.floor(limit / WASM_PAGE_BYTES));
  if (!(maxPages >= 1)) throw new CoreMisuse('CONFIG', `maxMemoryBytes ${limit}: give at least ${WASM_PAGE_BYTES}`);
  return maxPages;
}

/**
 * Builds a machine's memory: controllers, caches and keys, powered on. Machines share nothing.
 * `module` is a compiled core (default: the embedded one, compiled once a process). Throws {@link CoreMisuse} `CONFIG`.
 */
export function createCore(
  config: CoreConfig,
  module: WebAssembly.Module = compileCore(),
  options: CoreOptions = {},
): MemoryCore {
  checkConfig(config);
  return new WasmCore(config, instantiateCore(module), memoryPages(options));
}
