/** docs/stress-law.md in plain, slow TypeScript over any {@link MemoryCore}: the oracle of stress programs. It knows the page and nothing of assembly/. */
import type { CoreConfig, HomeRange, MemoryCore, Status } from '../../bindings/memory-core.ts';
import { type Deal, type Draws, dealt, drawsOf, linePicker, type Pattern, pick, toParts } from './stress-draws.ts';

export interface Program {
  readonly seed: number | string | bigint;
  readonly base: number;
  readonly footprint: number;
  readonly region: number;
  readonly prepare: boolean;
  readonly packages: number;
  readonly keyIds: { readonly shared: number; readonly private: number; readonly privateShare: number; readonly cross: number };
  readonly pattern: Pattern;
  readonly mix: Readonly<Record<string, number>>;
  readonly guestPages: number;
  readonly hardware: Omit<CoreConfig, 'seed' | 'packages' | 'numSharedKeyIds' | 'numPrivateKeyIds' | 'homes'>;
}

export interface Outcome {
  readonly operations: number;
  readonly byOperation: Record<string, number>;
  readonly faults: Record<string, number>;
  readonly digest: string;
  readonly provenanceDigest: string;
}

const GIB = 2 ** 30;
const LINE = 64;
const PAGE = 4096;
const MOD = 2n ** 64n;
const U16 = 0xffffn;
const U32 = 0xffffffffn;
const OPERATIONS = [
  'load',
  'store',
  'movdir64b',
  'movnti',
  'clflush',
  'wbinvd',
  'evict',
  'dma-read',
  'dma-write',
  'rekey',
  'walk',
  'flip',
];
const CHECKS = ['none', 'poison', 'td-bit', 'mac', 'unprogrammed-key', 'partial-write'];
const FLIPS = ['data', 'mac', 'td-bit', 'poison'] as const;
const POISONED_WALK = 3;

const bits = (word: bigint, from: bigint, to: bigint): bigint => (word >> from) & ((1n << (to - from + 1n)) - 1n);
const hex = (digest: bigint): string => digest.toString(16).padStart(16, '0');
const fold = (digest: bigint, answer: bigint): bigint => {
  const x = ((digest ^ answer) * 0x9fb21c651e98df25n) % MOD;
  return x ^ (x >> 32n);
};

/** Tables of each level, 0 to 3. */
const tableCounts = (guestPages: number): number[] => [0, 1, 2, 3].map((level) => Math.ceil(guestPages / 512 ** (level + 1)));

export class StressOracle {
  readonly #program: Program;
  readonly #core: MemoryCore;
  readonly #draws: Draws;
  readonly #base: number;
  readonly #lines: number;
  readonly #regionLines: number;
  readonly #line: (n: number) => number;
  readonly #weights: bigint[];
  #position = 0;
  #digest: bigint;
  #provenanceDigest: bigint;
  readonly #byOperation = Object.fromEntries(OPERATIONS.map((name) => [name, 0]));
  readonly #faults: Record<string, number> = Object.fromEntries(CHECKS.slice(1).map((name) => [name, 0]));

  constructor(program: Program, create: (config: CoreConfig) => MemoryCore, shard: Deal = { index: 0, of: 1 }) {
    this.#program = program;
    this.#draws = drawsOf(BigInt(program.seed), shard);
    const { count, before } = dealt(program.footprint / LINE, shard);
    this.#lines = count;
    this.#base = program.base + before * LINE;
    let region = program.region;
    if (region === 0) for (region = PAGE; region * 1024 < count * LINE; ) region *= 2;
    this.#regionLines = region / LINE;
    this.#line = linePicker(program.pattern, count, this.#draws);
    this.#weights = toParts(
      OPERATIONS.map((name) => program.mix[name] ?? 0),
      2 ** 32,
    );
    this.#digest = this.#draws.start;
    this.#provenanceDigest = this.#draws.start;
    this.#core = create(this.#config());
    this.#setUp();
  }

  get outcome(): Outcome {
    return {
      operations: this.#position,
      byOperation: { ...this.#byOperation },
      faults: { ...this.#faults },
      digest: hex(this.#digest),
      provenanceDigest: hex(this.#provenanceDigest),
    };
  }

  run(operations: number): void {
    for (const end = this.#position + operations; this.#position < end; this.#position += 1) this.#step(this.#position);
  }

  get #tablePage(): number {
    return Math.ceil((this.#base + this.#lines * LINE) / PAGE);
  }

  get #keyCount(): number {
    const { shared, private: private_ } = this.#program.keyIds;
    return 1 + shared + private_;
  }

  #config(): CoreConfig {
    const { packages, keyIds, hardware, guestPages } = this.#program;
    const tables = tableCounts(guestPages).reduce((sum, count) => sum + count);
    const end = (this.#tablePage + tables) * PAGE;
    const homes: HomeRange[] = [];
    for (let gib = Math.floor(this.#base / GIB); gib * GIB < end && homes.length < 4096; gib += 1)
      homes.push({ base: gib * GIB, size: GIB, package: gib % packages });
    return {
      ...hardware,
      seed: this.#draws.seed,
      packages,
      numSharedKeyIds: keyIds.shared,
      numPrivateKeyIds: keyIds.private + 1,
      homes,
    };
  }

  #setUp(): void {
    const { packages, prepare } = this.#program;
    this.#core.setEvent(0);
    for (let keyId = 1; keyId <= this.#keyCount; ++keyId)
      for (let pkg = 0; pkg < packages; ++pkg) this.#core.programKey(pkg, keyId, 'random');
    for (let first = 0; prepare && first < this.#lines; first += this.#regionLines) {
      const count = Math.min(this.#regionLines, this.#lines - first);
      const word = this.#draws.region(first / this.#regionLines);
      this.#core.movdir64bFill(0, this.#base + first * LINE, count, this.#owner(first), word);
    }
    this.#writeTables();
    for (let pkg = 0; pkg < packages; ++pkg) this.#core.septSetRoot(pkg, 0, this.#tablePage * PAGE, this.#keyCount, 4);
  }

  #owner(line: number): number {
    const { shared, private: private_, privateShare } = this.#program.keyIds;
    const word = this.#draws.region(Math.floor(line / this.#regionLines));
    const isPrivate = (word & U32) < BigInt(Math.floor(privateShare * 2 ** 32));
    const among = (count: number): number => Number(((word >> 32n) * BigInt(count)) >> 32n);
    return isPrivate ? shared + 1 + among(private_) : among(shared + 1);
  }

  #writeTables(): void {
    const counts = tableCounts(this.#program.guestPages);
    let page = this.#tablePage;
    for (const level of [3, 2, 1, 0]) {
      const below = page + counts[level]!;
      for (let e = 0; e < counts[level]! * 512; e += 8) {
        for (let i = 0; i < 8; ++i) this.#core.mailbox.u64[i] = this.#entry(e + i, level, below, counts);
        this.#core.movdir64b(0, page * PAGE + e * 8, this.#keyCount);
      }
      page = below;
    }
  }

  #entry(e: number, level: number, below: number, counts: number[]): bigint {
    if (level > 0) return e < counts[level - 1]! ? (BigInt(below + e) << 12n) | 7n : 0n;
    if (e >= this.#program.guestPages || (this.#draws.hole(e) & 15n) === 0n) return 0n;
    const frame = Math.floor(this.#base / PAGE) + (e % Math.max(1, Math.floor(this.#lines / 64)));
    return (BigInt(frame) << 12n) | 0x37n;
  }

  #keyId(n: number, line: number, word: bigint): number {
    const { pattern, keyIds } = this.#program;
    if (bits(word, 41n, 63n) < BigInt(Math.floor(keyIds.cross * 2 ** 23)))
      return Number((bits(this.#draws.word(n, 2), 48n, 63n) * BigInt(this.#keyCount)) >> 16n);
    const turn = pattern.kind === 'ping-pong' ? n % 2 : 0;
    return (this.#owner(line) + turn) % this.#keyCount;
  }

  #step(n: number): void {
    const word = this.#draws.word(n, 0);
    const name = OPERATIONS[pick(this.#weights, word & U32)]!;
    const pkg = Number((bits(word, 32n, 37n) * BigInt(this.#program.packages)) >> 6n);
    const line = this.#line(n);
    const keyId = this.#keyId(n, line, word);
    const linePa = this.#base + line * LINE;
    const wordPa = linePa + Number(bits(word, 38n, 40n)) * 8;
    this.#core.setEvent((n + 1) % 2 ** 32);
    this.#perform(name, pkg, linePa, wordPa, keyId, this.#draws.word(n, 2), this.#draws.word(n, 3));
    this.#byOperation[name]! += 1;
  }

  #perform(name: string, pkg: number, linePa: number, wordPa: number, keyId: number, w2: bigint, w3: bigint): void {
    const core = this.#core;
    const deviceKeyId = keyId <= this.#program.keyIds.shared ? keyId : 0;
    if (name === 'load') this.#read(core.load(pkg, wordPa, 8, keyId));
    else if (name === 'store') {
      this.#put(w2);
      core.store(pkg, wordPa, 8, keyId);
    } else if (name === 'movdir64b') {
      this.#put(w2);
      core.movdir64b(pkg, linePa, keyId);
    } else if (name === 'movnti') {
      this.#put(w2);
      core.directStore('nt-store', pkg, wordPa, 8, keyId);
    } else if (name === 'clflush') core.clflush(linePa, 1, keyId);
    else if (name === 'wbinvd') core.wbinvd(pkg);
    else if (name === 'evict') this.#answer(BigInt(core.evictSome(pkg, 1)));
    else if (name === 'dma-read') this.#read(core.dmaRead(wordPa, 8, deviceKeyId));
    else if (name === 'dma-write') this.#dmaWrite(pkg, linePa, deviceKeyId, w2, w3);
    else if (name === 'rekey') this.#rekey(pkg, w2, w3);
    else if (name === 'walk') this.#walk(pkg, w2, w3);
    else this.#flip(linePa, w2, w3);
  }

  /** The data of an operation. */
  #put(first: bigint): void {
    for (let i = 0; i < 8; ++i) this.#core.mailbox.u64[i] = (first + BigInt(i)) % MOD;
  }

  #dmaWrite(pkg: number, linePa: number, keyId: number, w2: bigint, w3: bigint): void {
    const isWhole = bits(w3, 0n, 0n) === 1n;
    const length = isWhole ? 64n : 1n + ((bits(w3, 1n, 6n) * 63n) >> 6n);
    const offset = isWhole ? 0n : (bits(w3, 7n, 12n) * (65n - length)) >> 6n;
    this.#put(w2);
    this.#core.directStore('dma', pkg, linePa + Number(offset), Number(length), keyId);
  }

  #rekey(pkg: number, w2: bigint, w3: bigint): void {
    const keyId = 1 + Number((bits(w3, 48n, 63n) * BigInt(this.#keyCount - 1)) >> 16n);
    this.#put(w2);
    const mode = ({ 13: 'direct', 14: 'clear', 15: 'no-encrypt' } as const)[Number(bits(w3, 0n, 3n))] ?? 'random';
    this.#core.programKey(pkg, keyId, mode);
  }

  #walk(pkg: number, w2: bigint, w3: bigint): void {
    if (bits(w3, 0n, 5n) === 0n) this.#core.invept(pkg);
    const page = (w2 * BigInt(this.#program.guestPages)) / MOD;
    const status = this.#core.septWalk(pkg, 0, pkg, Number(page) * PAGE, bits(w3, 6n, 6n) === 1n);
    this.#answer(this.#core.walkEntry);
    this.#answer(BigInt(this.#core.walkHpa) + 16n * BigInt(this.#core.walkLevel) + BigInt(status));
    if (status === POISONED_WALK) this.#fault();
  }

  #flip(linePa: number, w2: bigint, w3: bigint): void {
    const what = FLIPS[Number(bits(w3, 0n, 1n))]!;
    let bit = 0;
    if (what === 'data') bit = Number(bits(w2, 0n, 8n));
    if (what === 'mac') bit = Number(((w2 & U16) * BigInt(this.#core.config.macBits)) >> 16n);
    this.#core.flip(linePa, what, bit);
  }

  #read(status: Status): void {
    if (status === 0) this.#answer(this.#core.mailbox.u64[0]!);
    else this.#fault();
  }

  #fault(): void {
    const { pa, keyId, check, macWouldFire, tdBitWouldFire, poisonedBy, storedKeyId, storedTdBit, writer } = this.#core.fault;
    const number = CHECKS.indexOf(check);
    const mac = macWouldFire === null ? 2n : BigInt(macWouldFire);
    const kinds = BigInt(number) | (mac << 4n) | (BigInt(tdBitWouldFire) << 8n) | (BigInt(storedTdBit) << 12n);
    this.#answer(0x4641554c54000000n ^ (kinds | (BigInt(storedKeyId) << 16n) | (BigInt(keyId) << 32n)));
    this.#answer(BigInt(pa / LINE));
    this.#faults[check]! += 1;
    if (!this.#program.hardware.provenance) return;
    this.#provenanceDigest = fold(this.#provenanceDigest, BigInt(poisonedBy) | (BigInt(writer) << 32n));
  }

  #answer(value: bigint): void {
    this.#digest = fold(this.#digest, value);
  }
}
