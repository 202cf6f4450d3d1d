import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  buildTdHob,
  defaultFirmware,
  type E820Entry,
  FirmwareError,
  parseHobList,
  parseTdvf,
  q35E820,
  type TdxRamEntry,
  tdxRamEntries,
} from '../../../src/vmm/tdvf/index.ts';
import { bfv, image, section, tdHob, tempMem } from './images.ts';

const GIB = 2 ** 30;
const ram = (address: number, length: number): E820Entry => ({ address, length, type: 1 });
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    return error instanceof FirmwareError ? error.code : String(error);
  }
}

describe('q35E820', () => {
  it.each([
    [1 * GIB, [[0, 1 * GIB]]],
    [0xaffff000, [[0, 0xaffff000]]],
    [
      0xb0000000,
      [
        [0, 0x80000000],
        [2 ** 32, 0x30000000],
      ],
    ],
    [
      64 * GIB,
      [
        [0, 2 * GIB],
        [2 ** 32, 62 * GIB],
      ],
    ],
  ])('lays out %d bytes', (bytes, expected) => {
    expect(q35E820(bytes)).toEqual(expected.map(([address, length]) => ram(address, length)));
  });
});

describe('tdxRamEntries', () => {
  const sections = parseTdvf(defaultFirmware()).sections;

  it('cuts RAM at TD_HOB and TempMem, sorted, neighbours not merged, and leaves flash out', () => {
    const u = (address: number, length: number): TdxRamEntry => ({ address, length, type: 'unaccepted' });
    const a = (address: number, length: number): TdxRamEntry => ({ address, length, type: 'added' });
    expect(tdxRamEntries(q35E820(4 * GIB), sections)).toEqual([
      u(0, 0x800000),
      a(0x800000, 0x6000),
      u(0x806000, 0x3000),
      a(0x809000, 0x2000),
      a(0x80b000, 0x2000),
      u(0x80d000, 0x3000),
      a(0x810000, 0x10000),
      u(0x820000, 0x80000000 - 0x820000),
      u(2 ** 32, 2 * GIB),
    ]);
  });

  it('ignores reserved ranges, and leaves PermMem unaccepted', () => {
    const perm = parseTdvf(image([bfv(), section(4, { memoryAddress: 0x1000, attributes: 2 })])).sections;
    const e820 = [{ address: 0xfeffc000, length: 0x4000, type: 2 }, ram(0, GIB)];
    expect(tdxRamEntries(e820, perm)).toEqual([{ address: 0, length: GIB, type: 'unaccepted' }]);
  });

  it('refuses a section outside RAM, or across its end', () => {
    expect(codeOf(() => tdxRamEntries([ram(0, 0x800000)], sections))).toBe('section-outside-ram');
    expect(codeOf(() => tdxRamEntries([ram(0, 0x81f000)], sections))).toBe('section-outside-ram');
    expect(codeOf(() => tdxRamEntries([ram(0, 0x820000)], sections))).toBeUndefined();
  });

  it('covers RAM exactly once, for any sections in it', () => {
    const plan = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 8 }), pages: fc.integer({ min: 1, max: 8 }) }), {
      maxLength: 10,
    });
    fc.assert(
      fc.property(plan, fc.integer({ min: 0, max: 64 }), (list, holePage) => {
        let page = 0;
        const records = list.map(({ gap, pages }) => {
          page += gap;
          const built = tempMem({ memoryAddress: page * 4096, memoryDataSize: pages * 4096 });
          page += pages;
          return built;
        });
        const hob = tdHob({ memoryAddress: 0x400000 });
        const parsed = parseTdvf(image([bfv(), hob, ...records.reverse()])).sections;
        const e820 = [ram(0x400000, 0x100000), ram(0, 0x300000 + holePage * 4096)];
        const entries = tdxRamEntries(e820, parsed);
        expect(entries.every((entry) => entry.length > 0)).toBe(true);
        expect(entries.reduce((sum, entry) => sum + entry.length, 0)).toBe(0x400000 + holePage * 4096);
        entries.slice(1).forEach((entry, i) => {
          expect(entry.address).toBeGreaterThanOrEqual(entries[i].address + entries[i].length);
        });
        expect(entries.filter((entry) => entry.type === 'added')).toHaveLength(records.length + 1);
      }),
      { numRuns: 200 },
    );
  });
});

describe('buildTdHob', () => {
  const entries: TdxRamEntry[] = [
    { address: 0, length: 0x809000, type: 'unaccepted' },
    { address: 0x809000, length: 0x2000, type: 'added' },
  ];

  it('writes PHIT, resources and end byte by byte as QEMU does', () => {
    const phit = '0100 3800 00000000 09000000 00000000'.concat('0000000000000000'.repeat(4), 'a090800000000000');
    const unaccepted = '0300 3000 00000000'.concat('00'.repeat(16), '07000000 07000000 0000000000000000 0090800000000000');
    const added = '0300 3000 00000000'.concat('00'.repeat(16), '00000000 07000000 0090800000000000 0020000000000000');
    const end = 'ffff 0800 00000000';
    expect(buildTdHob(0x809000, 0x2000, entries)).toEqual(bytesOf(phit + unaccepted + added + end));
  });

  it('reads back, with zeros behind it', () => {
    const section = new Uint8Array(0x2000);
    section.set(buildTdHob(0x809000, 0x2000, entries));
    expect(parseHobList(section)).toEqual({
      version: 9,
      bootMode: 0,
      endOfHobList: 0x8090a0n,
      length: 0xa0,
      resources: [
        { resourceType: 7, resourceAttribute: 7, physicalStart: 0n, resourceLength: 0x809000n },
        { resourceType: 0, resourceAttribute: 7, physicalStart: 0x809000n, resourceLength: 0x2000n },
      ],
    });
  });

  it('fills its section to the last byte, and refuses one byte less', () => {
    expect(buildTdHob(0x809000, 160, entries)).toHaveLength(160);
    expect(codeOf(() => buildTdHob(0x809000, 159, entries))).toBe('hob-overrun');
  });
});

describe('parseHobList', () => {
  it.each([
    ['nothing', ''],
    ['no PHIT', 'ffff080000000000'],
    ['a PHIT without end', `0100380000000000${'00'.repeat(48)}`],
    ['a length of 0', `0100380000000000${'00'.repeat(48)}0300000000000000`],
    ['an odd length', `0100390000000000${'00'.repeat(49)}ffff080000000000`],
    ['a short resource', `0100380000000000${'00'.repeat(48)}0300080000000000ffff080000000000`],
  ])('refuses %s', (_what, hex) => {
    expect(codeOf(() => parseHobList(bytesOf(hex)))).toBe('hob-corrupt');
  });

  it('throws nothing but FirmwareError for any bytes', () => {
    const list = buildTdHob(0x809000, 0x2000, [{ address: 0, length: GIB, type: 'unaccepted' }]);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(list.length - 1), fc.nat(255))), fc.nat(list.length), (edits, length) => {
        const broken = list.slice(0, length);
        for (const [at, value] of edits) if (at < length) broken[at] = value;
        expect([undefined, 'hob-corrupt']).toContain(codeOf(() => parseHobList(broken)));
      }),
      { numRuns: 1000 },
    );
  });
});
