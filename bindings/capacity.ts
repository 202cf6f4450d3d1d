/**
 * The machine's capacity model without a machine: how many references to which lines hit, miss and evict, in the same sets and ways
 * (`assembly/directory.ts`) that decide the victims of a {@link MemoryCore}. It holds tags only, no data, and an instance of its own.
 */
import * as L from '../assembly/layout.ts';
import { Checks, checkConfig } from './checks.ts';
import { compileCore, instantiateCore } from './compile.ts';
import { writeConfig } from './config-struct.ts';
import type { CoreExports } from './core-exports.ts';
import { type CoreConfig, CoreMisuse, DEFAULT_CORE_CONFIG, MAILBOX_BYTES } from './memory-core.ts';

/** The part of a machine's config that capacity depends on; a whole {@link CoreConfig} will do. `cacheSets` is at least 1. */
export type CapacityConfig = Pick<CoreConfig, 'seed' | 'packages' | 'cacheSets' | 'cacheWays' | 'cachePolicy'>;

/** What a stream of references met: hits + misses = references; a miss that displaced another line is an eviction too. */
export interface ReferenceCounts {
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
}

/** A generated stream over `lines` lines (1 to 2^32) from line number `first` on. A position in it is a reference's number, from 0. */
export type ReferenceStream =
  /** Reference n goes to first + (n × stride mod lines); `stride` is 1 to `lines`, default 1. */
  | { readonly pattern: 'sequential'; readonly first: number; readonly lines: number; readonly stride?: number }
  /** Reference n goes to first + ⌊(mix(seed + n) >> 32) × lines / 2^32⌋ (mix: docs/memory-law.md). */
  | { readonly pattern: 'random'; readonly first: number; readonly lines: number; readonly seed: bigint };

const ADDRESS_BITS = 52;
const LINE_LIMIT = 2 ** (ADDRESS_BITS - 6);
const MOST_LINES = 2 ** 32;
const MOST_REFERENCES = 2 ** 51;
const MAX_PAGES = 65535;
const LIST = MAILBOX_BYTES / 8;

/** What {@link CapacityConfig} leaves open and a line and KeyID of any size need. */
const WIDE = {
  ...DEFAULT_CORE_CONFIG,
  maxPhysAddrBits: ADDRESS_BITS,
  numSharedKeyIds: 32767,
  numPrivateKeyIds: 0,
  provenance: false,
};

function isWithin(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}

/** The packages' caches as tags. A tag is (line number = address / 64, KeyID). Values out of range throw {@link CoreMisuse} first. */
export class CapacityModel {
  readonly config: CapacityConfig;
  readonly #core: CoreExports;
  readonly #check: Checks;
  readonly #mailbox: Float64Array;

  constructor(config: CapacityConfig, module: WebAssembly.Module) {
    const { seed, packages, cacheSets, cacheWays, cachePolicy } = config;
    const core: CoreConfig = { ...WIDE, seed, packages, cacheSets, cacheWays, cachePolicy };
    checkConfig(core);
    if (cacheSets === 0)
      throw new CoreMisuse('CONFIG', 'cacheSets 0: a cache without bound has no victims; give a power of two up to 2^20');
    this.config = { seed, packages, cacheSets, cacheWays, cachePolicy };
    this.#check = new Checks(core);
    this.#core = instantiateCore(module);
    const { memory, mailbox } = this.#core;
    writeConfig(new DataView(memory.buffer, mailbox.value, MAILBOX_BYTES), core, MAX_PAGES);
    this.#core.initCapacityModel();
    // Nothing is allocated after this.
    this.#mailbox = new Float64Array(memory.buffer, mailbox.value, LIST);
  }

  /** References these line numbers in their order. */
  reference(pkg: number, lines: Float64Array | Uint32Array, keyId = 0): ReferenceCounts {
    this.#tag(pkg, keyId);
    if (lines instanceof Float64Array) for (const line of lines) this.#line(line);
    let sum: ReferenceCounts = { hits: 0, misses: 0, evictions: 0 };
    for (let at = 0; at < lines.length; at += LIST) {
      const part = lines.subarray(at, at + LIST);
      this.#mailbox.set(part);
      this.#core.referList(pkg, keyId, part.length);
      const { hits, misses, evictions } = this.#counts(part.length);
      sum = { hits: sum.hits + hits, misses: sum.misses + misses, evictions: sum.evictions + evictions };
    }
    return sum;
  }

  /** Runs references `from` … `from + count - 1` of a stream, in one call: a long stream can be run in slices. */
  run(pkg: number, stream: ReferenceStream, count: number, from = 0, keyId = 0): ReferenceCounts {
    this.#tag(pkg, keyId);
    const { first, lines } = stream;
    this.#line(first);
    if (!isWithin(lines, 1, MOST_LINES)) throw new CoreMisuse('LENGTH_RANGE', `lines ${lines}: a stream has 1 to 2^32`);
    this.#line(first + lines - 1);
    for (const [name, value] of Object.entries({ count, from })) {
      if (!isWithin(value, 0, MOST_REFERENCES))
        throw new CoreMisuse('LENGTH_RANGE', `${name} ${value}: give a whole number up to 2^51`);
    }
    if (stream.pattern === 'random') {
      this.#check.pattern(stream.seed);
      this.#core.referRandom(pkg, keyId, first, lines, stream.seed, from, count);
    } else {
      const stride = stream.stride ?? 1;
      if (!isWithin(stride, 1, lines))
        throw new CoreMisuse('LENGTH_RANGE', `stride ${stride}: give 1 to ${lines}, the stream's lines`);
      this.#core.referSequence(pkg, keyId, first, lines, stride, from, count);
    }
    return this.#counts(count);
  }

  /** Takes one tag out. False when it was not held. */
  invalidate(pkg: number, line: number, keyId = 0): boolean {
    this.#tag(pkg, keyId);
    this.#line(line);
    return this.#core.modelInvalidate(pkg, line, keyId) !== 0;
  }

  /** Evicts `count` seeded victims as the machine does; returns how many there were. */
  evictSome(pkg: number, count: number): number {
    this.#check.package(pkg);
    this.#check.count(count, 'count');
    return this.#core.modelEvictSome(pkg, Math.min(count, 0xffffffff)) >>> 0;
  }

  /** Empties a package, as WBINVD does. */
  clear(pkg: number): void {
    this.#check.package(pkg);
    this.#core.modelClear(pkg);
  }

  /** Lines that a package holds. */
  held(pkg: number): number {
    this.#check.package(pkg);
    return this.#core.modelHeld(pkg) >>> 0;
  }

  /**
   * What the package holds, and where: d := mix(d xor t) over its slots set by set and way by way, from d = 0, where t is
   * line × 2^16 + KeyID + 1, or 0 for a free way.
   */
  digest(pkg: number): bigint {
    this.#check.package(pkg);
    return BigInt.asUintN(64, this.#core.modelDigest(pkg));
  }

  #tag(pkg: number, keyId: number): void {
    this.#check.package(pkg);
    this.#check.keyId(keyId);
  }

  #line(line: number): void {
    if (!isWithin(line, 0, LINE_LIMIT - 1))
      throw new CoreMisuse('ADDRESS_RANGE', `line ${line}: give a whole number below 2^46 (address / 64)`);
  }

  #counts(references: number): ReferenceCounts {
    const misses = this.#mailbox[L.CAPACITY_MISSES / 8]!;
    return { hits: references - misses, misses, evictions: this.#mailbox[L.CAPACITY_EVICTIONS / 8]! };
  }
}

/** Builds a capacity model, empty. `module` as in {@link createCore}. Throws {@link CoreMisuse} `CONFIG`. */
export function createCapacityModel(config: CapacityConfig, module: WebAssembly.Module = compileCore()): CapacityModel {
  return new CapacityModel(config, module);
}
