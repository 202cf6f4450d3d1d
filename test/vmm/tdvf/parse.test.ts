import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FIRMWARE_ERROR_CODES,
  FirmwareError,
  type FirmwareErrorCode,
  MAX_IMAGE_BYTES,
  MR_EXTEND,
  PAGE_AUG,
  parseTdvf,
  SECTION_TYPE,
  type TdvfSectionRecord,
} from '../../../src/vmm/tdvf/index.ts';
import {
  bfv,
  cfv,
  describeOvmf,
  IMAGE_BYTES,
  image,
  OVMF,
  OVMF_CODE_SECBOOT,
  OVMF_VARS_MS,
  readImage,
  section,
  tdHob,
  tempMem,
  validImage,
} from './images.ts';

function failureOf(bytes: Uint8Array): FirmwareError | undefined {
  try {
    parseTdvf(bytes);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(FirmwareError);
    return error as FirmwareError;
  }
}

/** Offsets in the 32 KiB test image: GUIDed table of 40 bytes, four sections. */
const TABLE = IMAGE_BYTES - 0x20 - 40;
const FOOTER_LENGTH = IMAGE_BYTES - 0x32;
const DESCRIPTOR = (TABLE - 4 * 32 - 16) & ~15;

function patched(offset: number, value: number, bytes: 2 | 4 = 4): Uint8Array {
  const broken = validImage();
  const view = new DataView(broken.buffer);
  if (bytes === 2) view.setUint16(offset, value, true);
  else view.setUint32(offset, value, true);
  return broken;
}

const T = SECTION_TYPE;
const tdInfo = (fields = {}) => section(T.TD_INFO, { dataOffset: 0x3000, rawDataSize: 0x100, memoryDataSize: 0, ...fields });
const permMem = (fields = {}) => section(T.PERM_MEM, { memoryAddress: 0x900000, attributes: PAGE_AUG, ...fields });
const payload = (fields = {}) => section(T.PAYLOAD, { memoryAddress: 0xa00000, ...fields });

const BROKEN: readonly (readonly [FirmwareErrorCode, what: string, bytes: () => Uint8Array, says: RegExp])[] = [
  ['empty', 'no bytes', () => new Uint8Array(0), /give a TDVF image/],
  ['too-large', 'more than 64 MiB', () => new Uint8Array(MAX_IMAGE_BYTES + 1), /64 MiB/],
  ['truncated', 'a part of a page', () => validImage().subarray(0, IMAGE_BYTES - 1), /cut short/],
  ['truncated', 'a few bytes', () => new Uint8Array(7), /7 bytes/],
  ['guid-table-corrupt', 'table length too small', () => patched(FOOTER_LENGTH, 17, 2), /17 bytes/],
  ['guid-table-corrupt', 'table length beyond the image', () => patched(FOOTER_LENGTH, 0xffff, 2), /65535 bytes/],
  ['guid-table-corrupt', 'entry length 0', () => patched(TABLE + 4, 0, 2), /does not fit/],
  ['guid-table-corrupt', 'entry longer than the table', () => patched(TABLE + 4, 23, 2), /does not fit/],
  ['guid-table-corrupt', 'table with a few bytes left over', () => patched(FOOTER_LENGTH, 30, 2), /does not fit/],
  ['guid-table-corrupt', 'a few bytes left over at the beginning of the image', () => wholeTable(), /0xa does not fit/],
  ['guid-table-corrupt', 'offset entry without an offset', () => noOffset(), /not 22/],
  ['no-tdvf-metadata', 'no locator', () => image([bfv(), tdHob()], 'none'), /VARS then CODE/],
  ['no-tdvf-metadata', 'a table without TDX entry', () => patched(TABLE + 6, 0), /built with TDX support/],
  ['no-tdvf-metadata', 'erased flash', () => new Uint8Array(IMAGE_BYTES).fill(0xff), /VARS then CODE/],
  ['descriptor-out-of-image', 'offset beyond the beginning', () => patched(TABLE, IMAGE_BYTES + 1), /prepend VARS/],
  ['descriptor-out-of-image', 'offset 15 bytes before the end', () => patched(TABLE, 15), /0xf bytes before the end/],
  ['bad-signature', 'signature', () => patched(DESCRIPTOR, 0x46564455), /'TDVF'/],
  ['bad-version', 'version 2', () => patched(DESCRIPTOR + 8, 2), /only version 1/],
  ['no-sections', 'count 0', () => patched(DESCRIPTOR + 12, 0), /no sections/],
  ['bad-length', 'length', () => patched(DESCRIPTOR + 4, 16 + 3 * 32), /4 sections/],
  ['bad-length', 'count', () => patched(DESCRIPTOR + 12, 0xffffffff), /4294967295 sections/],
  ['bad-length', 'past the end', () => longDescriptor(), /past the end/],
  ['unknown-type', 'type 9', () => image([bfv(), tdHob(), section(9)]), /section 2 has the unknown type 9/],
  ['unknown-type', 'type 2^32-1', () => image([section(0xffffffff), bfv()]), /section 0/],
  [
    'code-without-vars',
    'CODE alone',
    () => image([bfv(), cfv(), tdHob()]).subarray(0x2000),
    /cat OVMF_VARS\.fd OVMF_CODE\.fd > OVMF\.fd/,
  ],
  ['section-out-of-image', 'front cut off', () => image([bfv(), cfv(), tdHob()]).subarray(0x1000), /prepend VARS/],
  ['section-out-of-image', 'offset', () => image([bfv({ dataOffset: 0xfffff000 }), tdHob()]), /section 0 \(BFV\)/],
  ['bad-attributes', 'bit 2', () => image([bfv({ attributes: 4 }), tdHob()]), /0x4/],
  ['bad-attributes', 'AUG on contents', () => image([bfv(), tdHob({ attributes: PAGE_AUG })]), /only MR\.EXTEND/],
  ['bad-attributes', 'PermMem that is added', () => image([bfv(), permMem({ attributes: 0 })]), /must have PAGE\.AUG/],
  ['bad-attributes', 'measured TdInfo', () => image([bfv(), tdHob(), tdInfo({ attributes: 1 })]), /must be 0/],
  ['raw-data-missing', 'empty BFV', () => image([bfv({ rawDataSize: 0 }), tdHob()]), /BFV.*no raw data/],
  ['raw-data-forbidden', 'TempMem in the image', () => image([bfv(), tdHob(), tempMem({ rawDataSize: 1 })]), /0x1 bytes/],
  ['memory-forbidden', 'TdInfo in memory', () => image([bfv(), tdHob(), tdInfo({ memoryDataSize: 0x1000 })]), /must be 0/],
  ['memory-missing', 'TD_HOB without size', () => image([bfv(), tdHob({ memoryDataSize: 0 })]), /at least one page/],
  ['address-out-of-range', 'above the shared bit', () => image([bfv(), tdHob({ memoryAddress: 2 ** 51 })]), /0x8000000002000/],
  ['address-out-of-range', 'wraps', () => image([bfv(), { ...tdHob(), memoryAddress: 2n ** 64n - 4096n }]), /section 1/],
  ['unaligned', 'address', () => image([bfv(), tdHob({ memoryAddress: 0x809001 })]), /multiples of 4 KiB/],
  ['unaligned', 'size', () => image([bfv(), tdHob({ memoryDataSize: 0x1800 })]), /0x1800/],
  ['raw-exceeds-memory', 'BFV', () => image([bfv({ memoryDataSize: 0x1000 }), tdHob()]), /0x6000 bytes of raw data/],
  ['duplicate-section', 'two TD_HOBs', () => image([bfv(), tdHob(), tdHob({ memoryAddress: 0x900000 })]), /2 TD_HOB/],
  [
    'duplicate-section',
    'two payloads',
    () => image([bfv(), tdHob(), payload(), payload({ memoryAddress: 0xb00000 })]),
    /2 Payload/,
  ],
  ['missing-bfv', 'only CFV', () => image([cfv(), tdHob()]), /no BFV/],
  ['missing-td-hob', 'only BFV', () => image([bfv()]), /add a TD_HOB/],
  ['payload-missing', 'PayloadParam alone', () => image([bfv(), tdHob(), section(T.PAYLOAD_PARAM)]), /without a Payload/],
  ['td-info-outside-bfv', 'TdInfo in the CFV', () => image([bfv(), tdHob(), tdInfo({ dataOffset: 0x1f80 })]), /section 2/],
  [
    'td-info-outside-bfv',
    'TdInfo across the BFV’s end',
    () => image([bfv({ rawDataSize: 0x1080 }), tdHob(), tdInfo()]),
    /section 2/,
  ],
  [
    'memory-overlap',
    'by one page',
    () => image([bfv(), tdHob(), tempMem({ memoryAddress: 0x80a000 })]),
    /section 1 \(TD_HOB\) and section 2/,
  ],
  ['memory-overlap', 'one inside', () => image([bfv(), tempMem({ memoryDataSize: 0x100000 }), tdHob()]), /0x809000/],
  [
    'too-much-memory',
    '1 GiB and a page',
    () => image([bfv(), tdHob(), tempMem({ memoryAddress: 2 ** 32, memoryDataSize: 2 ** 30 })]),
    /1 GiB/,
  ],
  ['no-reset-vector', 'BFV that ends early', () => image([bfv({ memoryAddress: 0xfff00000 }), tdHob()]), /0xfffffff0/],
];

/** An offset entry of 18 bytes that overlaps the bytes of a longer one. */
function noOffset(): Uint8Array {
  const broken = patched(TABLE + 4, 18, 2);
  new DataView(broken.buffer).setUint16(FOOTER_LENGTH, 36, true);
  return broken;
}

/** A table that fills its image: one foreign entry, and 10 bytes in front of it. */
function wholeTable(): Uint8Array {
  const broken = validImage().slice(-4096);
  const view = new DataView(broken.buffer);
  view.setUint16(4096 - 0x32, 4096 - 0x20, true);
  view.setUint16(4096 - 0x32 - 18, 4096 - 0x32 - 10, true);
  view.setUint32(4096 - 0x32 - 16, 0, true);
  return broken;
}

/** The descriptor moved so close to the end that its sections do not fit. */
function longDescriptor(): Uint8Array {
  const broken = validImage();
  broken.copyWithin(IMAGE_BYTES - 16, DESCRIPTOR, DESCRIPTOR + 16);
  new DataView(broken.buffer).setUint32(TABLE, 16, true);
  return broken;
}

describe('parseTdvf', () => {
  it('reads a valid image, section by section', () => {
    const bytes = validImage();
    const parsed = parseTdvf(bytes);
    expect(parsed.descriptor).toEqual({ via: 'guid-table', offset: DESCRIPTOR });
    expect(parsed.sections.map((s) => s.name)).toEqual(['BFV', 'CFV', 'TempMem', 'TD_HOB']);
    expect(parsed.sections[0].data).toEqual(bytes.subarray(0x2000));
    expect(parsed.tdHob).toMatchObject({ index: 3, memoryAddress: 0x809000, memoryDataSize: 0x2000, attributes: 0 });
  });

  it('finds the descriptor through the fixed pointer when there is no GUIDed table', () => {
    expect(parseTdvf(image([bfv(), cfv(), tdHob()], 'fixed-pointer')).descriptor.via).toBe('fixed-pointer');
  });

  it('takes every section type', () => {
    const sections = [
      bfv(),
      cfv(),
      tdHob(),
      tempMem(),
      permMem(),
      payload(),
      section(T.PAYLOAD_PARAM),
      tdInfo(),
      section(T.TD_PARAMS, { rawDataSize: 1024, memoryDataSize: 0 }),
    ];
    const { sections: parsed } = parseTdvf(image(sections));
    expect(parsed.map((s) => s.type)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(parsed[4].attributes).toBe(PAGE_AUG);
  });

  it('accepts a view into a larger buffer', () => {
    const padded = new Uint8Array(IMAGE_BYTES + 123);
    padded.set(validImage(), 100);
    expect(parseTdvf(padded.subarray(100, 100 + IMAGE_BYTES)).sections).toHaveLength(4);
  });

  it.each(BROKEN)('%s: %s', (code, _what, bytes, says) => {
    const failure = failureOf(bytes());
    expect(failure?.code).toBe(code);
    expect(failure?.message).toMatch(says);
    expect(failure?.message).not.toMatch(/\n/);
  });

  it('has a broken image for every code of the parser', () => {
    const elsewhere = ['section-outside-ram', 'hob-overrun', 'hob-corrupt'];
    expect([...new Set(BROKEN.map(([code]) => code)), ...elsewhere]).toEqual(FIRMWARE_ERROR_CODES);
  });

  it('lets the earlier check answer when two fail', () => {
    const both = [bfv({ attributes: 4, memoryAddress: 1 }), tdHob(), tdHob()];
    expect(failureOf(image(both))?.code).toBe('bad-attributes');
    expect(failureOf(image([bfv(), tdHob({ memoryAddress: 1 }), section(9)]))?.code).toBe('unaligned');
    expect(failureOf(image([tdHob(), tdHob()]))?.code).toBe('duplicate-section');
  });
});

describe('parseTdvf, any bytes', () => {
  const check = (bytes: Uint8Array) => {
    const failure = failureOf(bytes);
    if (failure) {
      expect(FIRMWARE_ERROR_CODES).toContain(failure.code);
      expect(failure.message).toMatch(/^[^\n]+: [^\n]+$/);
      return;
    }
    for (const s of parseTdvf(bytes).sections) {
      expect(s.data).toHaveLength(s.rawDataSize);
      expect((s.memoryAddress % 4096) + (s.memoryDataSize % 4096)).toBe(0);
    }
  };

  it('throws nothing but FirmwareError for random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 5000 }), check), { numRuns: 500 });
    fc.assert(fc.property(fc.uint8Array({ minLength: 4096, maxLength: 4096 }), check), { numRuns: 200 });
  });

  it('throws nothing but FirmwareError for mutations of a valid image', () => {
    const valid = validImage();
    const tail = fc.integer({ min: DESCRIPTOR - 16, max: IMAGE_BYTES - 1 });
    const byte = fc.oneof(fc.constantFrom(0, 1, 2, 3, 7, 9, 0x10, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 }));
    const edits = fc.array(fc.tuple(tail, byte), { maxLength: 6 });
    const cut = fc.tuple(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }));
    let loadable = 0;
    const property = fc.property(edits, fc.option(cut), (changes, pages) => {
      const broken = valid.slice();
      for (const [offset, value] of changes) broken[offset] = value;
      const [front, back] = pages ?? [0, 0];
      const bytes = broken.subarray(front * 4096, Math.max(front, 8 - back) * 4096);
      check(bytes);
      if (!failureOf(bytes)) loadable++;
    });
    fc.assert(property, { numRuns: 3000 });
    expect(loadable).toBeGreaterThan(0);
  });

  it('reads back whatever valid sections were built', () => {
    const page = fc.integer({ min: 1, max: 16 });
    const sections = fc.array(fc.record({ pages: page, gap: page, attributes: fc.constantFrom(0, MR_EXTEND) }), {
      maxLength: 12,
    });
    const property = fc.property(sections, fc.constantFrom('guid-table' as const, 'fixed-pointer' as const), (plan, locator) => {
      let memoryAddress = 0x900000;
      const extra = plan.map(({ pages, gap, attributes }) => {
        memoryAddress += gap * 4096;
        const built = tempMem({ memoryAddress, memoryDataSize: pages * 4096, attributes });
        memoryAddress += pages * 4096;
        return built;
      });
      const all: TdvfSectionRecord[] = [bfv(), cfv(), ...extra, tdHob()];
      const parsed = parseTdvf(image(all, locator)).sections;
      const back = parsed.map(({ index: _, name: __, data: ___, ...s }) => ({
        ...s,
        memoryAddress: BigInt(s.memoryAddress),
        memoryDataSize: BigInt(s.memoryDataSize),
      }));
      expect(back).toEqual(all);
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describeOvmf('parseTdvf on Debian’s OVMF', () => {
  it.each([
    ['OVMF.fd', [OVMF]],
    ['VARS.ms + CODE.secboot', [OVMF_VARS_MS, OVMF_CODE_SECBOOT]],
  ])('reads %s', (_name, paths) => {
    const bytes = readImage(...paths);
    const { sections, descriptor, tdHob: hob } = parseTdvf(bytes);
    expect(descriptor.via).toBe('guid-table');
    expect(sections[0].name).toBe('BFV');
    expect(sections[0].attributes).toBe(MR_EXTEND);
    expect(sections.filter((s) => s.attributes !== 0)).toHaveLength(1);
    expect(sections[0].memoryAddress + sections[0].memoryDataSize).toBe(2 ** 32);
    expect(sections[1]).toMatchObject({ name: 'CFV', dataOffset: 0, memoryAddress: 2 ** 32 - bytes.length });
    expect(sections.filter((s) => s.name === 'TempMem')).toHaveLength(3);
    expect(hob?.memoryAddress).toBe(0x809000);
  });

  it('says "prepend VARS" for a CODE file alone, and reads it with them', () => {
    const failure = failureOf(readImage(OVMF_CODE_SECBOOT));
    expect(failure?.code).toBe('code-without-vars');
    expect(failure?.message).toMatch(/prepend VARS/);
    expect(failureOf(readImage(OVMF_VARS_MS, OVMF_CODE_SECBOOT))).toBeUndefined();
  });

  it('refuses VARS alone, CODE before VARS, and a file cut short', () => {
    for (const bytes of [
      readImage(OVMF_VARS_MS),
      readImage(OVMF_CODE_SECBOOT, OVMF_VARS_MS),
      readImage(OVMF).subarray(0, 0x1ff000),
    ]) {
      expect(failureOf(bytes)?.code).toBe('no-tdvf-metadata');
    }
    expect(failureOf(readImage(OVMF).subarray(0, 0x1ffffe))?.code).toBe('truncated');
    expect(failureOf(readImage(OVMF).subarray(0x1000))?.code).toBe('section-out-of-image');
  });
});
