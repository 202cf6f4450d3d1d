import { TDVF, TDVF_DESCRIPTOR, TDVF_SECTION } from '../../spec/tdvf.ts';
import { FirmwareError, hex, PREPEND_VARS } from './errors.ts';
import {
  PAGE_BYTES,
  readSectionRecord,
  SECTION_RULES,
  SECTION_TYPE,
  type TdvfSection,
  type TdvfSectionRecord,
} from './layout.ts';
import { locateDescriptor, type TdvfLocation } from './locate.ts';
import { checkImage, checkRecords } from './validate.ts';

/** The largest image that is read. Real ones have 2 to 16 MiB. */
export const MAX_IMAGE_BYTES = 64 * 2 ** 20;

/** A firmware image that can be loaded into a TD. */
export interface TdvfImage {
  /** Bytes of the whole image; its last byte is at 4 GiB - 1. */
  readonly size: number;
  /** Where the descriptor was, and how it was found. */
  readonly descriptor: TdvfLocation;
  /** In the descriptor's order, which is the order of measurement. */
  readonly sections: readonly TdvfSection[];
  /** Where the VMM puts the TD HOB; absent when the firmware brings its own memory map in PermMem sections. */
  readonly tdHob?: TdvfSection;
}

/**
 * Parses a TDVF image and checks it completely. Checks go in the order of `FIRMWARE_ERROR_CODES`: the first one that fails answers,
 * and within the descriptor the first section that fails one of its own.
 * @throws {FirmwareError} for any byte string that is not a loadable image; nothing else is thrown.
 */
export function parseTdvf(image: Uint8Array): TdvfImage {
  checkSize(image.length);
  const descriptor = locateDescriptor(image);
  const records = readDescriptor(image, descriptor.offset);
  checkRecords(records, image.length);
  const sections = records.map((record, index) => toSection(record, index, image));
  checkImage(sections);
  const tdHob = sections.find((section) => section.type === SECTION_TYPE.TD_HOB);
  return { size: image.length, descriptor, sections, ...(tdHob && { tdHob }) };
}

function checkSize(size: number): void {
  if (size === 0) throw new FirmwareError('empty', 'the image is empty: give a TDVF image such as /usr/share/ovmf/OVMF.fd');
  if (size > MAX_IMAGE_BYTES) {
    throw new FirmwareError('too-large', 'the image is larger than 64 MiB: give a firmware image, not a disk image');
  }
  if (size % PAGE_BYTES !== 0) {
    throw new FirmwareError(
      'truncated',
      `the image has ${size} bytes, not a whole number of 4 KiB pages: it is cut short, or no firmware; give a whole TDVF image`,
    );
  }
}

function readDescriptor(image: Uint8Array, offset: number): TdvfSectionRecord[] {
  const room = image.length - offset;
  if (offset < 0 || room < TDVF_DESCRIPTOR.SIZE) {
    const what = `the TDX metadata offset points ${hex(room)} bytes before the end of an image of ${hex(image.length)} bytes`;
    throw new FirmwareError(
      'descriptor-out-of-image',
      `${what}: the file is cut short, or a CODE file alone (then ${PREPEND_VARS})`,
    );
  }
  const { Signature, Length, Version, NumberOfSectionEntry, SIZE } = TDVF_DESCRIPTOR;
  const [signature, length, version, count] = [Signature, Length, Version, NumberOfSectionEntry].map((f) => f.get(image, offset));
  const fail = (code: 'bad-signature' | 'bad-version' | 'no-sections' | 'bad-length', what: string) =>
    new FirmwareError(
      code,
      `the TDVF descriptor at offset ${hex(offset)} ${what}: rebuild the firmware or take an unmodified image`,
    );
  if (signature !== TDVF.SIGNATURE) throw fail('bad-signature', `begins with ${hex(signature)}, not with 'TDVF'`);
  if (version !== TDVF.VERSION) throw fail('bad-version', `has version ${version}, only version 1 is defined`);
  if (count === 0) throw fail('no-sections', 'has no sections');
  if (length !== SIZE + count * TDVF_SECTION.SIZE)
    throw fail('bad-length', `is ${length} bytes long, which does not fit its ${count} sections`);
  if (length > room) throw fail('bad-length', `is ${length} bytes long and runs past the end of the image`);
  return Array.from({ length: count }, (_, i) => readSectionRecord(image, offset + SIZE + i * TDVF_SECTION.SIZE));
}

function toSection(record: TdvfSectionRecord, index: number, image: Uint8Array): TdvfSection {
  const { dataOffset, rawDataSize } = record;
  return {
    ...record,
    index,
    name: SECTION_RULES[record.type].name,
    memoryAddress: Number(record.memoryAddress),
    memoryDataSize: Number(record.memoryDataSize),
    data: image.subarray(rawDataSize === 0 ? 0 : dataOffset, rawDataSize === 0 ? 0 : dataOffset + rawDataSize),
  };
}
