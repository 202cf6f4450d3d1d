import { TDVF, TDVF_DESCRIPTOR, TDVF_SECTION } from '../../spec/tdvf.ts';
import { FirmwareError, hex } from './errors.ts';
import { GUID_BYTES } from './guid.ts';
import {
  FIXED_POINTER,
  GUID_ENTRY_TAIL,
  GUID_TABLE_END,
  OVMF_TABLE_FOOTER_GUID,
  TDX_METADATA_GUID,
  TDX_METADATA_OFFSET_GUID,
  type TdvfSectionRecord,
  viewOf,
  writeSectionRecord,
} from './layout.ts';

/** What {@link buildTdvf} writes. Nothing is checked: a broken image is a legitimate wish. */
export interface TdvfPlan {
  /** Bytes of the image. */
  readonly size: number;
  readonly sections: readonly TdvfSectionRecord[];
  /** How a VMM finds the descriptor. Default: the GUIDed table, as in OVMF. */
  readonly locator?: 'guid-table' | 'fixed-pointer' | 'none';
  /** Contents, by offset in the image; they are written before the metadata. */
  readonly contents?: ReadonlyMap<number, Uint8Array>;
}

/** `1: hlt; jmp 1b`, the same in 16, 32 and 64 bits. Seamline does not execute x86 code. */
const HALT = [0xf4, 0xeb, 0xfd];
const RESET_VECTOR_BYTES = 16;

/**
 * Builds an image: contents, descriptor, the way to find it, and a reset vector that halts in the last 16 bytes.
 * From the end: reset vector, GUIDed table (`GUID_TABLE_END`), descriptor with its GUID.
 * @throws {FirmwareError} `too-large` when the metadata or some contents do not fit in `size` bytes.
 */
export function buildTdvf({ size, sections, locator = 'guid-table', contents = new Map() }: TdvfPlan): Uint8Array {
  const image = new Uint8Array(size);
  const tableBytes = locator === 'guid-table' ? 2 * GUID_ENTRY_TAIL + 4 : 0;
  const descriptor = (size - GUID_TABLE_END - tableBytes - sections.length * TDVF_SECTION.SIZE - TDVF_DESCRIPTOR.SIZE) & ~15;
  if (descriptor < GUID_BYTES) throw overrun('the metadata', descriptor - GUID_BYTES);
  for (const [offset, bytes] of contents) {
    if (offset + bytes.length > size) throw overrun(`the contents at ${hex(offset)}`, size - offset - bytes.length);
    image.set(bytes, offset);
  }
  image.fill(0, descriptor - GUID_BYTES);
  image.set(TDX_METADATA_GUID, descriptor - GUID_BYTES);
  writeDescriptor(image, descriptor, sections);
  if (locator === 'guid-table') writeGuidTable(image, size - descriptor);
  if (locator === 'fixed-pointer') viewOf(image).setUint32(size - FIXED_POINTER, descriptor, true);
  image.set(HALT, size - RESET_VECTOR_BYTES);
  return image;
}

function overrun(what: string, room: number): FirmwareError {
  return new FirmwareError('too-large', `${what} needs ${-room} bytes more than the image has: build a larger image`);
}

function writeDescriptor(image: Uint8Array, offset: number, sections: readonly TdvfSectionRecord[]): void {
  const { Signature, Length, Version, NumberOfSectionEntry, SIZE } = TDVF_DESCRIPTOR;
  Signature.set(image, TDVF.SIGNATURE, offset);
  Length.set(image, SIZE + sections.length * TDVF_SECTION.SIZE, offset);
  Version.set(image, TDVF.VERSION, offset);
  NumberOfSectionEntry.set(image, sections.length, offset);
  sections.forEach((section, i) => {
    writeSectionRecord(image, offset + SIZE + i * TDVF_SECTION.SIZE, section);
  });
}

/** Two entries: the TDX metadata offset, then the footer, whose length is that of the whole table. */
function writeGuidTable(image: Uint8Array, descriptorFromEnd: number): void {
  const view = viewOf(image);
  const tableEnd = image.length - GUID_TABLE_END;
  const footer = tableEnd - GUID_ENTRY_TAIL;
  const entry = footer - GUID_ENTRY_TAIL - 4;
  view.setUint32(entry, descriptorFromEnd, true);
  view.setUint16(entry + 4, GUID_ENTRY_TAIL + 4, true);
  image.set(TDX_METADATA_OFFSET_GUID, entry + 6);
  view.setUint16(footer, tableEnd - entry, true);
  image.set(OVMF_TABLE_FOOTER_GUID, footer + 2);
}
