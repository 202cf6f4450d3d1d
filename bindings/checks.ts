/** Range checks: every value that crosses into Wasm is looked at here, before anything changes. */
import { WALK_LPS, WALK_SLOTS } from '../assembly/layout.ts';
import type { CoreConfig } from './memory-core.ts';
import { CoreMisuse } from './memory-core.ts';

const GIB = 2 ** 30;
const MAX_KEY_IDS = 32768;
const MAX_EVENT = 2 ** 32 - 1;

function show(value: number): string {
  return Number.isSafeInteger(value) && value >= 0 ? `0x${value.toString(16)}` : String(value);
}

function isWithin(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}

/** The checks of one machine. Each throws {@link CoreMisuse} with what was wrong and what is allowed. */
export class Checks {
  readonly #limit: number;
  readonly #packages: number;
  readonly #keyIds: number;

  constructor(config: CoreConfig) {
    this.#limit = 2 ** config.maxPhysAddrBits;
    this.#packages = config.packages;
    this.#keyIds = 1 + config.numSharedKeyIds + config.numPrivateKeyIds;
  }

  /** [pa, pa + length) lies in the address space. */
  range(pa: number, length: number): void {
    if (!(Number.isInteger(pa) && pa >= 0 && pa < this.#limit)) this.#badAddress(pa);
    if (!(Number.isInteger(length) && length >= 0))
      throw new CoreMisuse('LENGTH_RANGE', `length ${length}: give a whole number of bytes, 0 or more`);
    if (pa + length > this.#limit) this.#badAddress(pa + length - 1);
  }

  address(pa: number): void {
    if (!(Number.isInteger(pa) && pa >= 0 && pa < this.#limit)) this.#badAddress(pa);
  }

  #badAddress(pa: number): never {
    throw new CoreMisuse(
      'ADDRESS_RANGE',
      `address ${show(pa)}: this platform has ${Math.log2(this.#limit)} address bits; KeyID bits are given apart`,
    );
  }

  aligned(value: number, to: number, name: string): void {
    // A remainder of doubles is a slow call.
    if (Math.floor(value / to) * to !== value)
      throw new CoreMisuse('ALIGNMENT', `${name} ${show(value)} must be a multiple of ${to}`);
  }

  upTo(length: number, most: number): void {
    if (!isWithin(length, 0, most))
      throw new CoreMisuse(
        'LENGTH_RANGE',
        `length ${length}: at most ${most} bytes cross in one call; read() and write() take any length`,
      );
  }

  count(value: number, name: string): void {
    if (!isWithin(value, 0, Number.MAX_SAFE_INTEGER))
      throw new CoreMisuse('LENGTH_RANGE', `${name} ${value}: give a whole number, 0 or more`);
  }

  /** `lines` lines from the line of `pa` on lie in the address space. */
  lines(pa: number, lines: number): void {
    this.address(pa);
    this.count(lines, 'lines');
    const last = (Math.floor(pa / 64) + lines) * 64;
    if (last > this.#limit) this.#badAddress(last - 1);
  }

  keyId(keyId: number): void {
    if (!isWithin(keyId, 0, this.#keyIds - 1))
      throw new CoreMisuse('KEYID_RANGE', `KeyID ${keyId}: this platform has 0..${this.#keyIds - 1}`);
  }

  package(pkg: number): void {
    if (!isWithin(pkg, 0, this.#packages - 1))
      throw new CoreMisuse('PACKAGE_RANGE', `package ${pkg}: this platform has 0..${this.#packages - 1}`);
  }

  lp(lp: number, slot: number): void {
    if (!isWithin(lp, 0, WALK_LPS - 1)) throw new CoreMisuse('PACKAGE_RANGE', `logical processor ${lp}: give 0..${WALK_LPS - 1}`);
    if (!isWithin(slot, 0, WALK_SLOTS - 1)) throw new CoreMisuse('LENGTH_RANGE', `S-EPT slot ${slot}: give 0..${WALK_SLOTS - 1}`);
  }

  guestAddress(gpa: number): void {
    if (!isWithin(gpa, 0, 2 ** 52 - 1)) throw new CoreMisuse('ADDRESS_RANGE', `guest address ${show(gpa)}: at most 52 bits`);
  }

  guestAddresses(gpas: Float64Array): void {
    for (const gpa of gpas) this.guestAddress(gpa);
  }

  /** A result for each guest address. */
  room(gpas: Float64Array, results: Float64Array): void {
    if (results.length < gpas.length)
      throw new CoreMisuse('LENGTH_RANGE', `room for ${results.length} results: ${gpas.length} addresses need as many`);
  }

  event(id: number): void {
    if (!isWithin(id, 0, MAX_EVENT)) throw new CoreMisuse('LENGTH_RANGE', `event ${id}: give a whole number below 2^32`);
  }

  bit(bit: number, below: number): void {
    if (!isWithin(bit, 0, below - 1)) throw new CoreMisuse('LENGTH_RANGE', `bit ${bit}: give 0..${below - 1}`);
  }

  pattern(value: bigint): void {
    if (BigInt.asUintN(64, value) !== value)
      throw new CoreMisuse('LENGTH_RANGE', `pattern ${value}: give an unsigned 64-bit value`);
  }
}

function require_(condition: boolean, message: string): void {
  if (!condition) throw new CoreMisuse('CONFIG', message);
}

function isPowerOfTwo(n: number): boolean {
  return Number.isInteger(n) && n > 0 && Math.log2(n) % 1 === 0;
}

function checkHomes(config: CoreConfig): void {
  const limit = 2 ** config.maxPhysAddrBits;
  let end = 0;
  for (const home of [...config.homes].sort((a, b) => a.base - b.base)) {
    const name = `home range ${show(home.base)}`;
    require_(
      Number.isInteger(home.base / GIB) && Number.isInteger(home.size / GIB),
      `${name}: base and size are multiples of 1 GiB`,
    );
    require_(
      home.base >= 0 && home.size >= 0 && home.base + home.size <= limit,
      `${name}: ends above ${config.maxPhysAddrBits} address bits`,
    );
    require_(isWithin(home.package, 0, config.packages - 1), `${name}: package ${home.package} does not exist`);
    require_(home.base >= end, `${name} overlaps the range before it`);
    end = home.base + home.size;
  }
}

/** Throws CoreMisuse('CONFIG') unless the core can be built with it. */
export function checkConfig(config: CoreConfig): void {
  require_(isWithin(config.packages, 1, 8), `packages ${config.packages}: give 1..8`);
  require_(isWithin(config.maxPhysAddrBits, 46, 52), `maxPhysAddrBits ${config.maxPhysAddrBits}: give 46..52`);
  require_(isWithin(config.numSharedKeyIds, 0, MAX_KEY_IDS), `numSharedKeyIds ${config.numSharedKeyIds}: give 0 or more`);
  require_(isWithin(config.numPrivateKeyIds, 0, MAX_KEY_IDS), `numPrivateKeyIds ${config.numPrivateKeyIds}: give 0 or more`);
  require_(config.numSharedKeyIds + config.numPrivateKeyIds < MAX_KEY_IDS, `at most ${MAX_KEY_IDS - 1} KeyIDs beside KeyID 0`);
  require_(isWithin(config.macBits, 1, 28), `macBits ${config.macBits}: give 1..28`);
  require_(config.aesBits === 128 || config.aesBits === 256, `aesBits ${config.aesBits}: give 128 or 256`);
  require_(['Ci', 'Li', 'none'].includes(config.integrity), `integrity '${config.integrity}': give Ci, Li or none`);
  require_(
    ['td-first', 'mac-first'].includes(config.checkOrder),
    `checkOrder '${config.checkOrder}': give td-first or mac-first`,
  );
  require_(['tme', 'fault'].includes(config.unprogrammedKey), `unprogrammedKey '${config.unprogrammedKey}': give tme or fault`);
  require_(['random', 'lru'].includes(config.cachePolicy), `cachePolicy '${config.cachePolicy}': give random or lru`);
  require_(['lazy', 'eager'].includes(config.crypto), `crypto '${config.crypto}': give lazy or eager`);
  require_(BigInt.asUintN(64, config.seed) === config.seed, `seed ${config.seed}: give an unsigned 64-bit value`);
  if (config.cacheSets !== 0) {
    require_(
      isPowerOfTwo(config.cacheSets) && config.cacheSets <= 2 ** 20,
      `cacheSets ${config.cacheSets}: give 0 or a power of two up to 2^20`,
    );
    require_(
      isPowerOfTwo(config.cacheWays) && config.cacheWays <= 16,
      `cacheWays ${config.cacheWays}: give a power of two up to 16`,
    );
  }
  checkHomes(config);
}
