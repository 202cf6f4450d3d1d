import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { buildTdvf, defaultFirmware, FirmwareError, parseTdvf } from '../../../src/vmm/tdvf/index.ts';
import { bfv, tdHob } from './images.ts';

const u16 = (bytes: Uint8Array, offset: number) => bytes[offset] | (bytes[offset + 1] << 8);

describe('defaultFirmware', () => {
  it('is the same 64 KiB at every call, and the caller’s own', () => {
    const first = defaultFirmware();
    first[0] = 1;
    const second = defaultFirmware();
    expect(second).toHaveLength(0x10000);
    expect(second[0]).toBe(0);
    const sha256 = createHash('sha256').update(second).digest('hex');
    expect(sha256).toBe('2f984894374dafef93a1d5b40f179a21fb22af68fbdf5f23f15a70cbfea4bf70');
  });

  it('is valid by the same parser, ends at 4 GiB, and has OVMF’s sections', () => {
    const { sections } = parseTdvf(defaultFirmware());
    expect(sections.map((s) => s.name)).toEqual(['BFV', 'CFV', 'TempMem', 'TempMem', 'TD_HOB', 'TempMem']);
    expect(sections.map((s) => s.attributes)).toEqual([1, 0, 0, 0, 0, 0]);
    expect(sections[0].memoryAddress + sections[0].memoryDataSize).toBe(2 ** 32);
    expect(sections[1].memoryAddress).toBe(2 ** 32 - 0x10000);
  });

  it('has a halting reset vector', () => {
    expect([...defaultFirmware().subarray(-16, -13)]).toEqual([0xf4, 0xeb, 0xfd]);
  });

  it('has firmware volumes and a file whose checksums hold', () => {
    for (const { name, data } of parseTdvf(defaultFirmware()).sections.slice(0, 2)) {
      expect(new TextDecoder().decode(data.subarray(0x28, 0x2c)), name).toBe('_FVH');
      let sum = 0;
      for (let at = 0; at < u16(data, 0x30); at += 2) sum += u16(data, at);
      expect(sum & 0xffff, name).toBe(0);
      expect(new DataView(data.buffer, data.byteOffset).getBigUint64(0x20, true), name).toBe(BigInt(data.length));
    }
    const file = parseTdvf(defaultFirmware()).sections[0].data.subarray(0x48, 0x60);
    const sum = file.reduce((total, byte, i) => total + (i === 0x11 || i === 0x17 ? 0 : byte), 0);
    expect(sum & 0xff).toBe(0);
  });

  it('has no two equal pages in the measured volume', () => {
    const { data } = parseTdvf(defaultFirmware()).sections[0];
    const pages = Array.from({ length: data.length / 4096 }, (_, i) =>
      Buffer.from(data.subarray(i * 4096, (i + 1) * 4096)).toString('latin1'),
    );
    expect(new Set(pages).size).toBe(pages.length);
  });
});

describe('buildTdvf', () => {
  it('refuses metadata or contents that do not fit', () => {
    const tooSmall = () => buildTdvf({ size: 128, sections: [bfv(), tdHob()] });
    const tooLong = () => buildTdvf({ size: 4096, sections: [bfv()], contents: new Map([[4000, new Uint8Array(200)]]) });
    expect(tooSmall).toThrow(FirmwareError);
    expect(tooSmall).toThrow(/the metadata needs \d+ bytes more/);
    expect(tooLong).toThrow(/0xfa0 needs 104 bytes more/);
    expect(() => buildTdvf({ size: 4096, sections: [bfv(), tdHob()] })).not.toThrow();
  });
});
