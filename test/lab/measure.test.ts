import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MEASURE_ORDERS, type MeasurableSection, MeasureError, type MeasureOrder, measure } from '../../src/lab/measure.ts';
import { defaultFirmware, parseTdvf } from '../../src/vmm/tdvf/index.ts';
import { describeOvmf, OVMF, OVMF_CODE_SECBOOT, OVMF_VARS_MS, readImage } from '../vmm/tdvf/images.ts';

/** MRTD straight from the image's bytes with node:crypto: neither the parser nor a line of `measure` is used. */
function straightLineMrtd(image: Buffer, order: MeasureOrder): string {
  const guid = Buffer.from('35657ae44a989847865e4685a7bf8ec2', 'hex');
  const descriptor = image.length - image.readUInt32LE(image.lastIndexOf(guid) - 6);
  const hash = createHash('sha384');
  const record = (name: string, gpa: bigint) => {
    const block = Buffer.alloc(128);
    block.write(name, 0, 'ascii');
    block.writeBigUInt64LE(gpa, 16);
    hash.update(block);
  };
  for (let i = 0; i < image.readUInt32LE(descriptor + 12); i++) {
    const at = descriptor + 16 + 32 * i;
    const gpa = image.readBigUInt64LE(at + 8);
    const memory = Buffer.alloc(Number(image.readBigUInt64LE(at + 16)));
    const offset = image.readUInt32LE(at);
    image.copy(memory, 0, offset, offset + image.readUInt32LE(at + 4));
    const attributes = image.readUInt32LE(at + 28);
    if (attributes & 2) continue;
    const extendPage = (page: number) => {
      for (let chunk = page; chunk < page + 4096; chunk += 256) {
        record('MR.EXTEND', gpa + BigInt(chunk));
        hash.update(memory.subarray(chunk, chunk + 256));
      }
    };
    for (let page = 0; page < memory.length; page += 4096) {
      record('MEM.PAGE.ADD', gpa + BigInt(page));
      if (order === 'per-page' && attributes & 1) extendPage(page);
    }
    for (let page = 0; order === 'two-pass' && attributes & 1 && page < memory.length; page += 4096) extendPage(page);
  }
  return hash.digest('hex');
}

const mrtdOf = (image: Uint8Array, order?: MeasureOrder) => measure(parseTdvf(image).sections, order && { order }).mrtd;

/** Computed with Python's hashlib, for these very bytes. */
const GOLDEN = {
  default: {
    'per-page': 'a4a1114fd116bf8b8b5f0b30f45d3ff8d145a09bda2dafe6f4496b31728211281c66f8a2be2431ea8721e9800181766d',
    'two-pass': '2e14899ad3537f703821efad7e900f86a10a4e165a58b595d7b3bb9dd3bc4f492430af8580d0bc086e81e184cd2d98f4',
  },
  /** ovmf 2022.11-6+deb12u2: OVMF.fd, SHA-256 7b456907…. */
  bookworm: {
    'per-page': '4c7206f0f483c524f12c366c711e9049030a8d47c471ee5aa9c4999a08de4057fb887fed0744d5631a212967fb231c47',
    'two-pass': 'acccbcc870a381adab0d3919d90a7f268ac3b0364771f202ed4bb4e892d045b33db3b32e6924cba830a724eed443f7e1',
  },
} as const;
const BOOKWORM_SHA256 = '7b456907dd0786d415999e801a1ac4637b8ed4d7cf5378cfc6edbe5e574dd773';

describe('measure', () => {
  it.each(MEASURE_ORDERS)('[SX-22] gives the default image’s MRTD as an independent re-computation does: %s', (order) => {
    const image = defaultFirmware();
    expect(mrtdOf(image, order)).toBe(straightLineMrtd(Buffer.from(image), order));
    expect(mrtdOf(image, order)).toBe(GOLDEN.default[order]);
  });

  it('defaults to per-page, what Linux does', () => {
    expect(mrtdOf(defaultFirmware())).toBe(GOLDEN.default['per-page']);
    expect(measure([]).order).toBe('per-page');
  });

  it('[SX-22] hashes addresses of all added pages, contents of measured ones only', () => {
    const { sections } = parseTdvf(defaultFirmware());
    const [measured, added] = sections;
    const changed = (section: MeasurableSection, at: number) => {
      const data = section.data.slice();
      data[at] ^= 1;
      return measure(sections.map((s) => (s === section ? { ...s, data } : s))).mrtd;
    };
    expect(changed(measured, 0)).not.toBe(GOLDEN.default['per-page']);
    expect(changed(measured, measured.data.length - 1)).not.toBe(GOLDEN.default['per-page']);
    expect(changed(added, 0)).toBe(GOLDEN.default['per-page']);
    const moved = sections.map((s) => (s.name === 'TD_HOB' ? { ...s, memoryAddress: s.memoryAddress + 0x1000000 } : s));
    expect(measure(moved).mrtd).not.toBe(GOLDEN.default['per-page']);
  });

  it('follows the descriptor’s order', () => {
    const { sections } = parseTdvf(defaultFirmware());
    expect(measure(sections.toReversed()).mrtd).not.toBe(GOLDEN.default['per-page']);
  });

  it('leaves PAGE.AUG sections out, and treats missing contents as zeros', () => {
    const one = { name: 'TempMem', memoryAddress: 0x1000, memoryDataSize: 0x2000, attributes: 1, data: new Uint8Array(0) };
    const late = { name: 'PermMem', memoryAddress: 0x8000, memoryDataSize: 0x4000, attributes: 2, data: new Uint8Array(0) };
    const alone = measure([one]);
    expect(measure([one, late]).mrtd).toBe(alone.mrtd);
    expect(measure([{ ...one, data: new Uint8Array(0x2000) }]).mrtd).toBe(alone.mrtd);
    expect(measure([{ ...one, data: Uint8Array.of(1) }]).mrtd).not.toBe(alone.mrtd);
    expect(measure([one, late]).sections[1]).toEqual({
      name: 'PermMem',
      start: 0x8000,
      end: 0xc000,
      pages: 4,
      pagesAdded: 0,
      pagesExtended: 0,
    });
  });

  it('measures a TD HOB where the section asks for it', () => {
    const hob = {
      name: 'TD_HOB',
      memoryAddress: 0x809000,
      memoryDataSize: 0x2000,
      attributes: 1,
      data: Uint8Array.of(1, 0, 56, 0),
    };
    expect(measure([hob]).mrtd).not.toBe(measure([{ ...hob, data: new Uint8Array(0) }]).mrtd);
    const ignored = { ...hob, attributes: 0 };
    expect(measure([ignored]).mrtd).toBe(measure([{ ...ignored, data: new Uint8Array(0) }]).mrtd);
  });

  it('tells what each section contributed', () => {
    const { sections } = measure(parseTdvf(defaultFirmware()).sections);
    expect(sections[0]).toEqual({ name: 'BFV', start: 0xffff2000, end: 2 ** 32, pages: 14, pagesAdded: 14, pagesExtended: 14 });
    expect(sections.reduce((sum, s) => sum + s.pagesAdded, 0)).toBe(42);
    expect(sections.reduce((sum, s) => sum + s.pagesExtended, 0)).toBe(14);
  });

  it('refuses what no host could add', () => {
    const good = { name: 'X', memoryAddress: 0, memoryDataSize: 0x1000, attributes: 0, data: new Uint8Array(0) };
    expect(() => measure([good])).not.toThrow();
    for (const bad of [
      { memoryAddress: 1 },
      { memoryDataSize: 0x1001 },
      { memoryAddress: 2 ** 60 },
      { data: new Uint8Array(0x1001) },
    ]) {
      expect(() => measure([{ ...good, ...bad }])).toThrow(MeasureError);
    }
  });

  it('[SX-22] agrees with a block-by-block hash for any sections and contents', () => {
    const section = fc.record({
      gap: fc.integer({ min: 0, max: 2 ** 20 }),
      pages: fc.integer({ min: 1, max: 3 }),
      attributes: fc.constantFrom(0, 1, 2),
      data: fc.uint8Array({ maxLength: 4096 }),
    });
    fc.assert(
      fc.property(fc.array(section, { maxLength: 4 }), fc.constantFrom(...MEASURE_ORDERS), (plan, order) => {
        const sections = plan.map(({ gap, pages, attributes, data }) => ({
          name: 'S',
          memoryAddress: gap * 4096,
          memoryDataSize: pages * 4096,
          attributes,
          data,
        }));
        const image = Buffer.alloc(0x6000);
        image.write('35657ae44a989847865e4685a7bf8ec2', 0x5f00, 'hex');
        image.writeUInt32LE(0x800, 0x5f00 - 6);
        image.writeUInt32LE(sections.length, 0x5800 + 12);
        sections.forEach((s, i) => {
          const at = 0x5800 + 16 + 32 * i;
          image.set(s.data, i * 0x1000);
          image.writeUInt32LE(i * 0x1000, at);
          image.writeUInt32LE(s.data.length, at + 4);
          image.writeBigUInt64LE(BigInt(s.memoryAddress), at + 8);
          image.writeBigUInt64LE(BigInt(s.memoryDataSize), at + 16);
          image.writeUInt32LE(s.attributes, at + 28);
        });
        expect(measure(sections, { order }).mrtd).toBe(straightLineMrtd(image, order));
      }),
      { numRuns: 200 },
    );
  });
});

describeOvmf('measure on Debian’s OVMF', () => {
  const images = [
    ['OVMF.fd', [OVMF]],
    ['VARS.ms + CODE.secboot', [OVMF_VARS_MS, OVMF_CODE_SECBOOT]],
  ] as const;
  it.each(images.flatMap(([name, paths]) => MEASURE_ORDERS.map((order) => [name, order, paths] as const)))(
    '[SX-22] gives the MRTD of %s as an independent re-computation does: %s',
    (_name, order, paths) => {
      const image = readImage(...paths);
      const mrtd = mrtdOf(image, order);
      expect(mrtd).toBe(straightLineMrtd(Buffer.from(image), order));
      if (createHash('sha256').update(image).digest('hex') === BOOKWORM_SHA256) expect(mrtd).toBe(GOLDEN.bookworm[order]);
    },
  );

  it('does not depend on VARS, which are not measured', () => {
    const [vars, code] = [readImage(OVMF_VARS_MS), readImage(OVMF_CODE_SECBOOT)];
    const withVars = mrtdOf(Buffer.concat([vars, code]));
    expect(mrtdOf(Buffer.concat([new Uint8Array(vars.length), code]))).toBe(withVars);
    code[0x100000] ^= 1;
    expect(mrtdOf(Buffer.concat([vars, code]))).not.toBe(withVars);
  });
});
