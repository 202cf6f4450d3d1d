/** Misuse of the core: every argument is judged before anything changes. */

import { type CoreConfig, CoreMisuse, MAILBOX_BYTES } from '../../bindings/memory-core.ts';

const LINE_BYTES = 64;
const GIB = 2 ** 30;

export class Bounds {
  readonly #config: CoreConfig;

  constructor(config: CoreConfig) {
    this.#config = config;
  }

  range(pa: number, length: number): void {
    if (!Number.isSafeInteger(pa) || pa < 0) throw new CoreMisuse('ADDRESS_RANGE', `address ${pa} is not a whole number from 0`);
    if (!Number.isSafeInteger(length) || length < 0)
      throw new CoreMisuse('LENGTH_RANGE', `length ${length} is not a whole number from 0`);
    const limit = 2 ** this.#config.maxPhysAddrBits;
    if (pa + length > limit) throw new CoreMisuse('ADDRESS_RANGE', `address ${pa} + ${length} is above ${limit}`);
  }

  /** A range that moves through the mailbox. */
  mailbox(pa: number, length: number): void {
    if (length > MAILBOX_BYTES) throw new CoreMisuse('LENGTH_RANGE', `length ${length} is above the mailbox's ${MAILBOX_BYTES}`);
    this.range(pa, length);
  }

  aligned(pa: number, to: number): void {
    if (pa % to !== 0) throw new CoreMisuse('ALIGNMENT', `${pa} is not a multiple of ${to}`);
  }

  lines(pa: number, lines: number): void {
    this.range(pa, lines * LINE_BYTES);
    this.aligned(pa, LINE_BYTES);
  }

  keyId(keyId: number): void {
    const top = this.#config.numSharedKeyIds + this.#config.numPrivateKeyIds;
    if (!Number.isInteger(keyId) || keyId < 0 || keyId > top)
      throw new CoreMisuse('KEYID_RANGE', `KeyID ${keyId} is not in 0..${top}`);
  }

  /** KeyID 0 may be reprogrammed by nobody. */
  programmableKeyId(keyId: number): void {
    this.keyId(keyId);
    if (keyId === 0) throw new CoreMisuse('KEYID_RANGE', 'KeyID 0 is programmed at power-on only');
  }

  pkg(pkg: number): void {
    const { packages } = this.#config;
    if (!Number.isInteger(pkg) || pkg < 0 || pkg >= packages)
      throw new CoreMisuse('PACKAGE_RANGE', `no package ${pkg} of ${packages}`);
  }

  pattern(value: bigint): void {
    if (BigInt.asUintN(64, value) !== value) throw new CoreMisuse('LENGTH_RANGE', `${value} is not an unsigned 64-bit value`);
  }

  index(value: number, count: number): void {
    if (!Number.isInteger(value) || value < 0 || value >= count)
      throw new CoreMisuse('LENGTH_RANGE', `${value} is not in 0..${count - 1}`);
  }
}

const isPowerOfTwo = (n: number): boolean => n > 0 && (n & (n - 1)) === 0;

/** Throws CONFIG for a machine that nobody could build. */
export function checkConfig(config: CoreConfig): void {
  const { packages, maxPhysAddrBits, macBits, cacheSets, cacheWays, homes } = config;
  const rules: [boolean, string][] = [
    [packages >= 1 && packages <= 8, 'packages is 1 to 8'],
    [maxPhysAddrBits >= 46 && maxPhysAddrBits <= 52, 'maxPhysAddrBits is 46 to 52'],
    [macBits >= 1 && macBits <= 28, 'macBits is 1 to 28'],
    [cacheSets === 0 || (isPowerOfTwo(cacheSets) && isPowerOfTwo(cacheWays) && cacheWays <= 16), 'sets × ways are powers of two'],
    [homes.every((home) => home.package < packages), 'a home range names an existing package'],
    [homes.every((home) => home.base % GIB === 0 && home.size % GIB === 0), 'home ranges are multiples of 1 GiB'],
  ];
  for (const [holds, rule] of rules) if (!holds) throw new CoreMisuse('CONFIG', rule);
}
