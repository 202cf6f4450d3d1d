/**
 * What the TDVF image format says beyond spec/tdvf.json: the rules of the section types, and sections as values.
 * Sources: Intel TDX Virtual Firmware Design Guide (344991), td-shim specification "TD Shim Metadata".
 */
import { TDVF, TDVF_GUID, TDVF_SECTION, TDVF_SECTION_ATTRIBUTE, TDVF_SECTION_TYPE } from '../../spec/tdvf.ts';
import { GUID_BYTES, guidBytes } from './guid.ts';

export const PAGE_BYTES = 4096;
export const FOUR_GIB = 2 ** 32;

/** OVMF's GUIDed table ends this many bytes before the end of the image: the table's footer GUID is its last entry. */
export const GUID_TABLE_END = TDVF.GUID_TABLE_END_DISTANCE;
/** td-shim: a u32 here (from the end) holds the descriptor's offset from the *beginning* of the image. */
export const FIXED_POINTER = 0x20;
/** Each entry of the table: data, then its whole length (u16), then its GUID. */
export const GUID_ENTRY_TAIL = 2 + GUID_BYTES;

export const OVMF_TABLE_FOOTER_GUID = guidBytes(TDVF_GUID.GUID_TABLE_FOOTER);
export const TDX_METADATA_OFFSET_GUID = guidBytes(TDVF_GUID.TDX_METADATA_OFFSET);
export const TDX_METADATA_GUID = guidBytes(TDVF_GUID.TDX_METADATA);

export const { MR_EXTEND, PAGE_AUG } = TDVF_SECTION_ATTRIBUTE;

/** The documented types, and one that only td-shim's newer tools write. */
export const SECTION_TYPE = { ...TDVF_SECTION_TYPE, TD_PARAMS: 8 } as const;

/** What a section of one type may look like. */
export interface SectionRule {
  readonly name: string;
  /** Must its contents be in the image, must they not, or may they? */
  readonly raw: 'required' | 'forbidden' | 'optional';
  /** Does it occupy guest memory? */
  readonly memory: boolean;
  /** How many the image may have. */
  readonly max: number;
  readonly allowed: number;
  readonly required: number;
}

const rule = (
  name: string,
  raw: SectionRule['raw'],
  max: number,
  allowed: number,
  other: Partial<SectionRule> = {},
): SectionRule => ({ name, raw, memory: true, max, allowed, required: 0, ...other });

/**
 * Indexed by type: td-shim specification, table 1.1-4 and the rules below it; 7 and 8 as td-shim's own tools write them.
 * More liberal where QEMU is: MR.EXTEND is allowed on every page that is added, and a BFV need not have it.
 */
export const SECTION_RULES: readonly SectionRule[] = [
  rule('BFV', 'required', Infinity, MR_EXTEND),
  rule('CFV', 'required', Infinity, MR_EXTEND),
  rule('TD_HOB', 'forbidden', 1, MR_EXTEND),
  rule('TempMem', 'forbidden', Infinity, MR_EXTEND),
  rule('PermMem', 'forbidden', Infinity, PAGE_AUG, { required: PAGE_AUG }),
  rule('Payload', 'optional', 1, MR_EXTEND),
  rule('PayloadParam', 'optional', 1, MR_EXTEND),
  rule('TdInfo', 'required', 1, 0, { memory: false }),
  rule('TdParams', 'required', 1, 0, { memory: false }),
];

/** One entry of the descriptor, as stored: nothing in it has been checked. */
export interface TdvfSectionRecord {
  /** u32, bytes from the beginning of the image. */
  readonly dataOffset: number;
  /** u32, bytes. */
  readonly rawDataSize: number;
  /** u64, guest-physical. */
  readonly memoryAddress: bigint;
  /** u64, bytes. */
  readonly memoryDataSize: bigint;
  /** u32, see {@link SECTION_TYPE}. */
  readonly type: number;
  /** u32, {@link MR_EXTEND} and {@link PAGE_AUG}. */
  readonly attributes: number;
}

/** A section that has passed every check. Addresses and sizes are in bytes and safe integers. */
export interface TdvfSection {
  /** Place in the descriptor. */
  readonly index: number;
  /** See `SECTION_TYPE`. */
  readonly type: number;
  /** `BFV`, `CFV`, `TD_HOB`, … */
  readonly name: string;
  readonly dataOffset: number;
  readonly rawDataSize: number;
  /** Guest-physical, a multiple of 4 KiB. */
  readonly memoryAddress: number;
  /** A multiple of 4 KiB; 0 for a section that is only read by tools (TdInfo, TdParams). */
  readonly memoryDataSize: number;
  /** Bit 0 MR.EXTEND, bit 1 PAGE.AUG. */
  readonly attributes: number;
  /** The raw data: a view of the image, `rawDataSize` bytes. Memory behind it is zeros. */
  readonly data: Uint8Array;
}

/** Reads the entry at `offset`; the caller has checked that it lies inside the image. */
export function readSectionRecord(image: Uint8Array, offset: number): TdvfSectionRecord {
  return {
    dataOffset: TDVF_SECTION.DataOffset.get(image, offset),
    rawDataSize: TDVF_SECTION.RawDataSize.get(image, offset),
    memoryAddress: TDVF_SECTION.MemoryAddress.get(image, offset),
    memoryDataSize: TDVF_SECTION.MemoryDataSize.get(image, offset),
    type: TDVF_SECTION.Type.get(image, offset),
    attributes: TDVF_SECTION.Attributes.get(image, offset),
  };
}

export function writeSectionRecord(image: Uint8Array, offset: number, record: TdvfSectionRecord): void {
  TDVF_SECTION.DataOffset.set(image, record.dataOffset, offset);
  TDVF_SECTION.RawDataSize.set(image, record.rawDataSize, offset);
  TDVF_SECTION.MemoryAddress.set(image, record.memoryAddress, offset);
  TDVF_SECTION.MemoryDataSize.set(image, record.memoryDataSize, offset);
  TDVF_SECTION.Type.set(image, record.type, offset);
  TDVF_SECTION.Attributes.set(image, record.attributes, offset);
}

/** A view of the bytes wherever they lie in their buffer (Node's small Buffers share one). */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
