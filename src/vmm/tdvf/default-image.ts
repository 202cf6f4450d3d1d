import { buildTdvf } from './build.ts';
import { GUID_BYTES, guidBytes } from './guid.ts';
import { FOUR_GIB, MR_EXTEND, PAGE_BYTES, SECTION_TYPE, type TdvfSectionRecord, viewOf } from './layout.ts';

const IMAGE_BYTES = 64 * 1024;
const CFV_BYTES = 2 * PAGE_BYTES;

/** PI, volume 3: the fixed part of EFI_FIRMWARE_VOLUME_HEADER and a block map of one run. */
const FV_HEADER_BYTES = 0x48;
const FV_SIGNATURE = 0x4856465f;
/** Readable, with read and write status, memory mapped, erase polarity 1 (EFI_FVB2). */
const FV_ATTRIBUTES = 0x0004feff;
const FV_REVISION = 2;
const EFI_FIRMWARE_FILE_SYSTEM2_GUID = guidBytes('8c8ce578-8a3d-4f1c-9935-896185c32dd3');
/** PI, volume 3: EFI_FFS_FILE_HEADER. */
const FFS_HEADER_BYTES = 24;
const FFS_FILE_NAME = guidBytes('5ea31110-0000-4000-8000-000000000001');
const EFI_FV_FILETYPE_RAW = 1;
/** Stands for the checksum of a file's data when the file's attributes do not ask for one. */
const FFS_FIXED_CHECKSUM = 0xaa;
/** Header and data valid, in flash whose erased bits are ones. */
const FFS_STATE_VALID = 0xf8;
const LINE_BYTES = 64;

const EFI_SYSTEM_NV_DATA_FV_GUID = guidBytes('fff12b8d-7696-4c8b-a985-2747075b4f50');

/** The memory map of OVMF's TDX sections, at its addresses. */
const RAM_SECTIONS: readonly (readonly [type: number, address: number, size: number])[] = [
  [SECTION_TYPE.TEMP_MEM, 0x810000, 0x10000],
  [SECTION_TYPE.TEMP_MEM, 0x80b000, 0x2000],
  [SECTION_TYPE.TD_HOB, 0x809000, 0x2000],
  [SECTION_TYPE.TEMP_MEM, 0x800000, 0x6000],
];

/**
 * The embedded firmware: a 64 KiB image whose sections are OVMF's in kind, order and place (BFV measured, CFV not). The CFV is
 * empty, the BFV holds one raw file in which no two 64-byte lines are equal, and the reset vector halts. The same bytes at every
 * call; the array is the caller's own.
 */
export function defaultFirmware(): Uint8Array {
  const sections = [
    flashSection(SECTION_TYPE.BFV, CFV_BYTES, IMAGE_BYTES - CFV_BYTES, MR_EXTEND),
    flashSection(SECTION_TYPE.CFV, 0, CFV_BYTES, 0),
    ...RAM_SECTIONS.map(([type, address, size]) => ramSection(type, address, size)),
  ];
  const contents = new Map([
    [0, firmwareVolume(EFI_SYSTEM_NV_DATA_FV_GUID, CFV_BYTES)],
    [CFV_BYTES, firmwareVolume(EFI_FIRMWARE_FILE_SYSTEM2_GUID, IMAGE_BYTES - CFV_BYTES)],
    [CFV_BYTES + FV_HEADER_BYTES, rawFile(IMAGE_BYTES - CFV_BYTES - FV_HEADER_BYTES)],
  ]);
  return buildTdvf({ size: IMAGE_BYTES, sections, contents });
}

/** A part of the image, mapped where the whole image ends at 4 GiB. */
function flashSection(type: number, dataOffset: number, size: number, attributes: number): TdvfSectionRecord {
  const memoryAddress = BigInt(FOUR_GIB - IMAGE_BYTES + dataOffset);
  return { dataOffset, rawDataSize: size, memoryAddress, memoryDataSize: BigInt(size), type, attributes };
}

function ramSection(type: number, address: number, size: number): TdvfSectionRecord {
  return { dataOffset: 0, rawDataSize: 0, memoryAddress: BigInt(address), memoryDataSize: BigInt(size), type, attributes: 0 };
}

/** A firmware volume without files: header, checksum, and erased flash (all ones). */
function firmwareVolume(fileSystem: Uint8Array, size: number): Uint8Array {
  const volume = new Uint8Array(size).fill(0xff);
  const view = viewOf(volume);
  volume.fill(0, 0, FV_HEADER_BYTES);
  volume.set(fileSystem, GUID_BYTES);
  view.setBigUint64(0x20, BigInt(size), true);
  view.setUint32(0x28, FV_SIGNATURE, true);
  view.setUint32(0x2c, FV_ATTRIBUTES, true);
  view.setUint16(0x30, FV_HEADER_BYTES, true);
  view.setUint8(0x37, FV_REVISION);
  view.setUint32(0x38, size / PAGE_BYTES, true);
  view.setUint32(0x3c, PAGE_BYTES, true);
  view.setUint16(0x32, -wordSum(view, FV_HEADER_BYTES) & 0xffff, true);
  return volume;
}

/** A raw file that fills its volume; its header's bytes sum to 0, not counting the state and the data's checksum. */
function rawFile(size: number): Uint8Array {
  const file = new Uint8Array(size).fill(0xff);
  for (let at = LINE_BYTES - (FV_HEADER_BYTES % LINE_BYTES); at + LINE_BYTES <= size; at += LINE_BYTES) {
    const text = `Seamline's default firmware, volume offset 0x${(at + FV_HEADER_BYTES).toString(16).padStart(5, '0')}`;
    file.set(new TextEncoder().encode(text.padEnd(LINE_BYTES, '.')), at);
  }
  file.fill(0, 0, FFS_HEADER_BYTES);
  file.set(FFS_FILE_NAME);
  file[0x12] = EFI_FV_FILETYPE_RAW;
  [size & 0xff, (size >> 8) & 0xff, size >> 16].forEach((byte, i) => {
    file[0x14 + i] = byte;
  });
  file[0x10] = -file.subarray(0, FFS_HEADER_BYTES).reduce((sum, byte) => sum + byte, 0);
  file[0x11] = FFS_FIXED_CHECKSUM;
  file[0x17] = FFS_STATE_VALID;
  return file;
}

function wordSum(view: DataView, bytes: number): number {
  let sum = 0;
  for (let at = 0; at < bytes; at += 2) sum += view.getUint16(at, true);
  return sum;
}
