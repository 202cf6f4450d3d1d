/**
 * The memory core's interface: what the rest of Seamline may ask of the memory controllers, caches and keys.
 * Implemented by `bindings/wasm-core.ts` (Wasm) and, for tests, by `test/oracle/eager-core.ts` (plain TypeScript).
 *
 * Addresses are plain numbers in bytes, without KeyID bits, below 2^maxPhysAddrBits (at most 52). KeyIDs are separate integers.
 * A caller that passes an address, a length or a KeyID out of range gets a {@link CoreMisuse} before anything changes.
 * Where the host's memory has run out, what needs more throws a CoreMisuse `OUT_OF_MEMORY` (docs/memory-law.md, "Out of memory").
 * Operations that can hit poison return a {@link Status}; data goes through the {@link MemoryCore.mailbox}.
 */

/** 0 = done; 1 = poison was consumed (the CPU raises #MC; see {@link MemoryCore.fault}). */
export type Status = 0 | 1;
export const OK: Status = 0;
export const POISON: Status = 1;

/** Bytes that one load or store may move through the mailbox. */
export const MAILBOX_BYTES = 65536;

/** One range of DRAM and the package whose memory controller owns it. Base and size are multiples of 1 GiB. */
export interface HomeRange {
  readonly base: number;
  readonly size: number;
  readonly package: number;
}

/** The hardware knobs (DESIGN.md §6) as the core reads them at init. */
export interface CoreConfig {
  /** 64-bit seed of all random streams inside the core (keys, evictions, MAC key). */
  readonly seed: bigint;
  /** 1 to 8. */
  readonly packages: number;
  /** 46 to 52, KeyID bits not counted. */
  readonly maxPhysAddrBits: number;
  /** Shared MKTME KeyIDs are 1..numSharedKeyIds; private ones follow. */
  readonly numSharedKeyIds: number;
  readonly numPrivateKeyIds: number;
  /** Memory outside every range belongs to package 0. */
  readonly homes: readonly HomeRange[];
  /** `Ci`: MAC and TD bit; `Li`: TD bit only; `none`: what-if without MAC (the TD bit has its own knob). */
  readonly integrity: 'Ci' | 'Li' | 'none';
  /** In Ci: shared KeyIDs other than 0 have a MAC too. */
  readonly sharedIntegrity: boolean;
  /** 1 to 28. */
  readonly macBits: number;
  readonly tdBit: boolean;
  readonly checkOrder: 'td-first' | 'mac-first';
  /** What a KeyID that was never programmed on a package behaves like: KeyID 0's key, or every access faults (poison). */
  readonly unprogrammedKey: 'tme' | 'fault';
  /** X86_BUG_TDX_PW_MCE: a partial write from outside a TD to a line with TD bit 1 poisons it silently. */
  readonly partialWriteErratum: boolean;
  /** AES-XTS key length. */
  readonly aesBits: 128 | 256;
  /** Cached lines a package can hold: sets × ways; 0 sets = unbounded. Both powers of two, ways ≤ 16. */
  readonly cacheSets: number;
  readonly cacheWays: number;
  readonly cachePolicy: 'random' | 'lru';
  /** `lazy`: ciphertext and MAC exist only when observed (same answers). `eager`: at every write-back. */
  readonly crypto: 'lazy' | 'eager';
  readonly provenance: boolean;
}

/** One package of hardware as bought: Ci with 28 MAC bits, 31 shared and 32 private KeyIDs, caches without bound. */
export const DEFAULT_CORE_CONFIG: CoreConfig = {
  seed: 1n,
  packages: 1,
  maxPhysAddrBits: 46,
  numSharedKeyIds: 31,
  numPrivateKeyIds: 32,
  homes: [],
  integrity: 'Ci',
  sharedIntegrity: false,
  macBits: 28,
  tdBit: true,
  checkOrder: 'td-first',
  unprogrammedKey: 'tme',
  partialWriteErratum: true,
  aesBits: 128,
  cacheSets: 0,
  cacheWays: 16,
  cachePolicy: 'lru',
  crypto: 'lazy',
  provenance: true,
};

/** Why a controller read made poison or a consumer met it. */
export type Check = 'none' | 'poison' | 'td-bit' | 'mac' | 'unprogrammed-key' | 'partial-write';

/** The last fault: filled when an operation returned {@link POISON}. */
export interface FaultRecord {
  /** Line address in bytes. */
  readonly pa: number;
  readonly keyId: number;
  /** The check that made the poison (`poison`: it was there before and its origin is unknown). */
  readonly check: Check;
  /** Would the MAC have caught it too, had the TD bit not answered first? (computed, for explanations; null when no MAC exists) */
  readonly macWouldFire: boolean | null;
  readonly tdBitWouldFire: boolean;
  /** Event id of the read, or partial write, that made the poison. */
  readonly poisonedBy: number;
  /** What was stored in the line when the check fired. */
  readonly storedKeyId: number;
  readonly storedTdBit: boolean;
  /** Event id that wrote the line's data. */
  readonly writer: number;
}

/** One write-back or direct write that changed the KeyID or TD bit of a DRAM line (DESIGN.md §3, provenance). */
export interface Displacement {
  readonly pa: number;
  readonly cause: 'eviction' | 'wbinvd' | 'wbnoinvd' | 'clflush' | 'snoop' | 'movdir64b' | 'nt-store' | 'uc-store' | 'dma';
  /** Current event id when it happened. */
  readonly event: number;
  readonly keyId: number;
  readonly tdBit: boolean;
  /** Event id that wrote the data that now lies in DRAM. */
  readonly writer: number;
  readonly displacedKeyId: number;
  readonly displacedTdBit: boolean;
  readonly displacedWriter: number;
}

/** A DRAM line as a logic analyser on the bus would see it. */
export interface DramLine {
  /** 64 bytes on the bus (ciphertext). */
  readonly ciphertext: Uint8Array;
  /** macBits wide, or null where no MAC is stored. */
  readonly mac: number | null;
  readonly tdBit: boolean;
  readonly poison: boolean;
}

/** What the model knows about a DRAM line beyond the bus (probe only). */
export interface LineState {
  readonly tdBit: boolean;
  readonly poison: boolean;
  /** KeyID and key generation it was last written under (the generation counts from 0 per (package, KeyID)). */
  readonly keyId: number;
  readonly generation: number;
  readonly homePackage: number;
  readonly writer: number;
  /** True when the line was changed by a physical attacker since. */
  readonly tampered: boolean;
}

export interface CachedCopy {
  readonly package: number;
  readonly keyId: number;
  readonly dirty: boolean;
  readonly poison: boolean;
  readonly writer: number;
  readonly data: Uint8Array;
}

/** Kind of a store that goes to the memory controller past the caches. */
export type DirectStore = 'nt-store' | 'uc-store' | 'dma';

/** Kind of a range write past the caches: `movdir64b` takes whole lines. */
export type DirectWrite = DirectStore | 'movdir64b';

/**
 * Bytes inside the core's memory, as long-lived as the machine. `read`, `write` and their kin copy to and from such an array without
 * leaving Wasm. Take `u8` anew after any call that may have grown memory: the old array is detached then.
 */
export interface CoreBuffer {
  readonly u8: Uint8Array;
}

/** Long-lived views of the mailbox in Wasm memory; read them through the property each time (they move when memory grows). */
export interface Mailbox {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  readonly u64: BigUint64Array;
}

export interface MemoryCore {
  readonly config: CoreConfig;
  readonly mailbox: Mailbox;

  /** Cached load by a CPU of `pkg`: mailbox[0, length) := memory. May span lines; stops at the first poisoned line. */
  load(pkg: number, pa: number, length: number, keyId: number): Status;
  /** Cached store (read for ownership, then write): memory := mailbox[0, length). */
  store(pkg: number, pa: number, length: number, keyId: number): Status;
  /** As {@link load} and {@link store} for any length, to and from a JavaScript array. */
  read(pkg: number, pa: number, keyId: number, out: Uint8Array): Status;
  write(pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status;
  /** Cached store of `length` bytes that repeats a 64-bit pattern (8-byte aligned). */
  fill(pkg: number, pa: number, length: number, keyId: number, pattern: bigint): Status;
  /** Speculative load: same fill and sticky poison, nothing is consumed. */
  speculate(pkg: number, pa: number, keyId: number): void;
  /** Atomic compare-and-exchange on an aligned u16/u32/u64 in a cached line: returns the old value, or null on poison. */
  exchange64(pkg: number, pa: number, keyId: number, expected: bigint, desired: bigint): bigint | null;

  /** 64-byte direct store of mailbox[0, 64). */
  movdir64b(pkg: number, pa: number, keyId: number): void;
  /** `lines` direct stores of a repeated 64-bit pattern (page clear, PAMT fill, PAMT reset): O(tree nodes). */
  movdir64bFill(pkg: number, pa: number, lines: number, keyId: number, pattern: bigint): void;
  /** `lines` × (cached load from source, direct store to target): PAGE.ADD's copy. */
  movdir64bCopy(pkg: number, targetPa: number, targetKeyId: number, sourcePa: number, sourceKeyId: number, lines: number): Status;
  /** MOVNTI, UC/WC store or DMA of mailbox[0, length): split at lines; a full 64-byte line counts as combined. */
  directStore(kind: DirectStore, pkg: number, pa: number, length: number, keyId: number): Status;
  /** DMA read through KeyID `keyId` (no cache allocation; snoops dirty lines of the same tag). A poisoned line aborts. */
  dmaRead(pa: number, length: number, keyId: number): Status;

  /** As {@link movdir64b} and {@link directStore} for any length, from a JavaScript array; `movdir64b` is whole, aligned lines. */
  directWrite(kind: DirectWrite, pkg: number, pa: number, keyId: number, bytes: Uint8Array): Status;
  /** As {@link dmaRead} for any length, into a JavaScript array. */
  dmaReadInto(pa: number, keyId: number, out: Uint8Array): Status;
  /** A DMA read of every line that touches the range, whose bytes nobody takes: O(tree nodes) where lines are uniform. */
  check(pa: number, length: number, keyId: number): Status;
  /** Room for `bytes` bytes inside the core's memory. Throws {@link CoreMisuse} `OUT_OF_MEMORY`. */
  buffer(bytes: number): CoreBuffer;

  clflush(pa: number, lines: number, keyId: number): void;
  wbinvd(pkg: number): void;
  wbnoinvd(pkg: number): void;
  /** Evict this tag now from the package's cache. False when it was not there. */
  evict(pkg: number, pa: number, keyId: number): boolean;
  /** Evict `count` seeded victims of the package's cache (fewer when it runs empty); returns how many. */
  evictSome(pkg: number, count: number): number;

  /** PCONFIG on one package. `direct` takes 32 or 64 key bytes (data key, tweak key) from the mailbox. */
  programKey(pkg: number, keyId: number, mode: 'random' | 'direct' | 'clear' | 'no-encrypt'): void;

  // Physical attacker and probe.
  capture(pa: number): DramLine;
  replay(pa: number, line: DramLine): void;
  /** Flip bit 0..511 of the ciphertext, a MAC bit, the TD bit or the poison bit. */
  flip(pa: number, what: 'data' | 'mac' | 'td-bit' | 'poison', bit?: number): void;
  inspect(pa: number): LineState;
  /**
   * The 64 bytes of the DRAM line that holds `pa`, decrypted with the key and generation it was last written under: what a reader
   * with that key would get if nothing were checked. TD bit, MAC and poison play no part (a poisoned line shows what lies under the poison);
   * caches are not looked at; a line that an attacker changed decrypts to what that key makes of it. Never-written memory is zeros.
   */
  plaintext(pa: number): Uint8Array;
  /** Address of the first DRAM line that touches [pa, end) whose {@link plaintext} is not all zeros, or -1. Uniform zeros are skipped node by node. */
  nextNonZero(pa: number, end: number): number;
  cachedCopies(pa: number): CachedCopy[];
  /** Calls back for every DRAM line in the range whose TD bit is 1 or which is poisoned, as maximal runs of equal state. */
  forEachRun(pa: number, length: number, visit: (pa: number, lines: number, state: LineState) => void): void;
  /** As above for cached tags in the range. */
  forEachCached(pa: number, length: number, visit: (pa: number, copy: CachedCopy) => void): void;
  /** Cold reset: all lines become TD bit 0, poison 0, zeros under KeyID 0; caches empty; keys as at power-on. Never out of memory. */
  coldReset(): void;
  /** Warm reset: caches written back and emptied, keys as at power-on; DRAM as it is (TD bits and poison stay). */
  warmReset(): void;

  /** Provenance: the id stamped on all that follows. */
  setEvent(id: number): void;
  readonly fault: FaultRecord;
  /** Displacements of a line since power-on (bounded log, newest last). */
  displacements(pa: number): Displacement[];
  /** Model counters by name (spec/counters.json). Where memory has run out, without what a WBINVD has yet to write back. */
  counters(): Record<string, number>;
  /** Bytes of Wasm memory in use by this machine. */
  memoryUsed(): number;

  // Architectural page walks (tables live in simulated memory; TLBs and paging-structure caches are per LP and stale until INVEPT).
  /**
   * Describes an S-EPT to the walker of logical processor `lp`. Slot 0..15. Translations belong to (root, KeyID, levels): another root
   * does not see them, the same root finds them again until INVEPT.
   */
  septSetRoot(lp: number, slot: number, rootPa: number, keyId: number, levels: number): void;
  /** Walks for a 4 KiB GPA page: 0 mapped (result HPA in walkHpa), 1 violation, 2 misconfiguration, 3 poison met. */
  septWalk(lp: number, slot: number, pkg: number, gpa: number, write: boolean): number;
  /**
   * As {@link septWalk} for a list of GPAs, in order: hpas[i] := HPA of gpas[i]'s 4 KiB page, as doubles. Stops at the first that is not
   * mapped and returns how many were; {@link walkStatus} and the fields below describe the last walk. An empty list walks nothing.
   * `hpas` is at least as long as `gpas` and may be the same array; what lies behind the mapped ones is left alone.
   */
  septWalkMany(lp: number, slot: number, pkg: number, gpas: Float64Array, write: boolean, hpas: Float64Array): number;
  /** Of the last walk: its status, HPA of the 4 KiB page (0 unless mapped), the raw last entry and the level at which it ended. */
  readonly walkStatus: number;
  readonly walkHpa: number;
  readonly walkEntry: bigint;
  readonly walkLevel: number;
  /** Drops TLB and paging-structure caches of the LP (all slots). */
  invept(lp: number): void;
}

/** Misuse of the core: a value out of range, before anything changed. */
export class CoreMisuse extends RangeError {
  readonly code: 'ADDRESS_RANGE' | 'LENGTH_RANGE' | 'KEYID_RANGE' | 'PACKAGE_RANGE' | 'ALIGNMENT' | 'CONFIG' | 'OUT_OF_MEMORY';
  constructor(code: CoreMisuse['code'], message: string) {
    super(message);
    this.name = 'CoreMisuse';
    this.code = code;
  }
}
