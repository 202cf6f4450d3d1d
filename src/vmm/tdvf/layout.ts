/**
 * The TDVF image format as data: GUIDs, descriptor, section types and attributes.
 * Sources: Intel TDX Virtual Firmware Design Guide (344991) §11, td-shim specification "TD Shim Metadata".
 */
import { GUID_BYTES, guidBytes } from './guid.ts';

export const PAGE_BYTES = 4096;
export const FOUR_GIB = 2 ** 32;

/** OVMF's GUIDed table ends this many bytes before the end of the image: the table's footer GUID is its last entry. */
export const GUID_TABLE_END = 0x20;
/** td-shim: a u32 here (from the end) holds the descriptor's offset from the *beginning* of the image. */
export const FIXED_POINTER = 0x20;
/** Each entry of the table: data, then its whole length (u16), then its GUID. */
export const GUID_ENTRY_TAIL = 2 + GUID_BYTES;

export const OVMF_TABLE_FOOTER_GUID = guidBytes('96b582de-1fb2-45f7-baea-a366c55a082d');
/** Its entry's data is a u32: the descriptor's offset from the *end* of the image. */
export const TDX_METADATA_OFFSET_GUID = guidBytes('e47a6535-984a-4798-865e-4685a7bf8ec2');
/** Stands right before the descriptor in images built by edk2 and td-shim. */
export const TDX_METADATA_GUID = guidBytes('e9eaf9f3-168e-44d5-a8eb-7f4d8738f6ae');

/** 'TDVF', little-endian. */
export const TDVF_SIGNATURE = 0x46564454;
export const TDVF_VERSION = 1;
/** Signature, length, version, number of sections: u32 each. */
export const DESCRIPTOR_BYTES = 16;
export const SECTION_BYTES = 32;

/** The section's pages are measured with TDH.MR.EXTEND. */
export const MR_EXTEND = 1;
/** The section's pages are not added at build time: the TD gets them by TDH.MEM.PAGE.AUG and accepts them. */
export const PAGE_AUG = 2;

export const SECTION_TYPE = {
  BFV: 0,
  CFV: 1,
  TD_HOB: 2,
  TEMP_MEM: 3,
  PERM_MEM: 4,
  PAYLOAD: 5,
  PAYLOAD_PARAM: 6,
  TD_INFO: 7,
  TD_PARAMS: 8,
} as const;

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
export function readSectionRecord(view: DataView, offset: number): TdvfSectionRecord {
  return {
    dataOffset: view.getUint32(offset, true),
    rawDataSize: view.getUint32(offset + 4, true),
    memoryAddress: view.getBigUint64(offset + 8, true),
    memoryDataSize: view.getBigUint64(offset + 16, true),
    type: view.getUint32(offset + 24, true),
    attributes: view.getUint32(offset + 28, true),
  };
}

export function writeSectionRecord(view: DataView, offset: number, record: TdvfSectionRecord): void {
  view.setUint32(offset, record.dataOffset, true);
  view.setUint32(offset + 4, record.rawDataSize, true);
  view.setBigUint64(offset + 8, record.memoryAddress, true);
  view.setBigUint64(offset + 16, record.memoryDataSize, true);
  view.setUint32(offset + 24, record.type, true);
  view.setUint32(offset + 28, record.attributes, true);
}

/** A view of the bytes wherever they lie in their buffer (Node's small Buffers share one). */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
