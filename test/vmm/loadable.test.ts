import { describe, expect, it } from 'vitest';
import { checkLoadable, DEFAULT_MEMORY, TdMachine } from '../../src/vmm/index.ts';
import { defaultFirmware, parseTdvf } from '../../src/vmm/tdvf/index.ts';
import { bfv, cfv, describeOvmf, IMAGE_BYTES, image, OVMF, readImage, tdHob, tempMem } from './tdvf/images.ts';

const MIB = 2 ** 20;
const check =
  (bytes: Uint8Array, memory = DEFAULT_MEMORY) =>
  () =>
    checkLoadable(parseTdvf(bytes), memory);
const code = (name: string) => expect.objectContaining({ name: 'FirmwareError', code: name });

describe('an image is loadable', () => {
  it('when it is the default one, with little memory and with much', () => {
    for (const memory of [32 * MIB, DEFAULT_MEMORY, 8192 * MIB]) expect(check(defaultFirmware(), memory)).not.toThrow();
  });

  it('up to the last page of RAM and no further', () => {
    const last = (address: number) => image([bfv(), tdHob(), tempMem({ memoryAddress: address, memoryDataSize: 0x1000 })]);
    expect(check(last(64 * MIB - 0x1000), 64 * MIB)).not.toThrow();
    expect(check(last(64 * MIB), 64 * MIB)).toThrow(code('section-outside-ram'));
    expect(check(image([bfv(), tdHob(), tempMem({ memoryAddress: 64 * MIB - 0x1000 })]), 64 * MIB)).toThrow(
      code('section-outside-ram'),
    );
  });

  it('when its volumes lie in the flash, not below it', () => {
    expect(check(image([bfv(), cfv(), tdHob()]))).not.toThrow();
    expect(check(image([bfv(), cfv({ memoryAddress: 2 ** 32 - IMAGE_BYTES - 0x2000 }), tdHob()]))).toThrow(
      code('section-outside-ram'),
    );
  });

  it('when the TD HOB fits into its section', () => {
    const holes = (count: number) =>
      Array.from({ length: count }, (_, i) => tempMem({ memoryAddress: 0x1000000 + i * 0x2000, memoryDataSize: 0x1000 }));
    const hob = tdHob({ memoryDataSize: 0x1000 });
    expect(check(image([bfv(), hob, ...holes(20)]))).not.toThrow();
    expect(check(image([bfv(), hob, ...holes(100)]))).toThrow(code('hob-overrun'));
  });

  it('or the VMM refuses to exist', () => {
    const bad = image([bfv(), tdHob(), tempMem({ memoryAddress: DEFAULT_MEMORY })]);
    expect(() => new TdMachine({ firmware: bad })).toThrow(code('section-outside-ram'));
    expect(() => new TdMachine({ firmware: bad, memory: 2 * DEFAULT_MEMORY })).not.toThrow();
  });
});

describeOvmf('Debian’s OVMF', () => {
  it('is loadable', () => {
    expect(check(readImage(OVMF))).not.toThrow();
  });
});
