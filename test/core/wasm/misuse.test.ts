/** Values out of range throw before anything changes. */
import { describe, expect, it } from 'vitest';
import type { MemoryCore } from '../../../bindings/index.ts';
import { createCore } from '../../../bindings/index.ts';
import { CONFIG, GIB, TOP_KEYID } from '../shared/engine.ts';

const TOP = 2 ** CONFIG.maxPhysAddrBits;
const CALLS: [string, string, (core: MemoryCore) => unknown][] = [
  ['ADDRESS_RANGE', 'a store over the end', (core) => core.store(0, TOP - 8, 16, 0)],
  ['ADDRESS_RANGE', 'a negative address', (core) => core.store(0, -64, 8, 0)],
  ['ADDRESS_RANGE', 'half an address', (core) => core.store(0, 0.5, 8, 0)],
  ['ADDRESS_RANGE', 'a fill over the end', (core) => core.movdir64bFill(0, TOP - 64, 2, 0, 1n)],
  ['LENGTH_RANGE', 'more than the mailbox', (core) => core.store(0, 0, 65537, 0)],
  ['LENGTH_RANGE', 'a negative length', (core) => core.store(0, 0, -1, 0)],
  ['LENGTH_RANGE', 'a negative pattern', (core) => core.movdir64bFill(0, 0, 1, 0, -1n)],
  ['KEYID_RANGE', 'a KeyID too many', (core) => core.movdir64b(0, 0, TOP_KEYID + 1)],
  ['KEYID_RANGE', 'programming KeyID 0', (core) => core.programKey(0, 0, 'random')],
  ['PACKAGE_RANGE', 'a package too many', (core) => core.store(2, 0, 8, 0)],
  ['ALIGNMENT', 'an unaligned direct store', (core) => core.movdir64b(0, 8, 0)],
  ['ALIGNMENT', 'an unaligned exchange', (core) => core.exchange64(0, 4, 0, 0n, 1n)],
];

describe('misuse', () => {
  it.each(CALLS)('%s: %s', (code, _name, call) => {
    const core = createCore(CONFIG);
    core.mailbox.u8.fill(1, 0, 64);
    const before = core.counters();
    expect(() => call(core)).toThrow(expect.objectContaining({ name: 'CoreMisuse', code }));
    expect(core.counters()).toEqual(before);
    expect(core.cachedCopies(0)).toEqual([]);
    expect(core.store(0, 0, 8, 0)).toBe(0);
  });

  it.each([
    { packages: 9 },
    { maxPhysAddrBits: 45 },
    { numPrivateKeyIds: 40000 },
    { macBits: 29 },
    { cacheSets: 3, cacheWays: 4 },
    { homes: [{ base: 1, size: GIB, package: 0 }] },
    {
      homes: [
        { base: 0, size: 2 * GIB, package: 0 },
        { base: GIB, size: GIB, package: 1 },
      ],
    },
  ])('CONFIG: %o', (overrides) => {
    expect(() => createCore({ ...CONFIG, ...overrides })).toThrow(expect.objectContaining({ code: 'CONFIG' }));
  });
});
