/**
 * The TD HOB: the list of hand-off blocks in which the VMM tells the firmware the TD's memory.
 * Layouts: UEFI Platform Initialization specification 1.8, volume 3, chapter 5. Contents: as QEMU writes them.
 */
import { FirmwareError, hex } from './errors.ts';
import { viewOf } from './layout.ts';
import type { TdxRamEntry } from './ram.ts';

export const EFI_HOB_TYPE = { HANDOFF: 1, RESOURCE_DESCRIPTOR: 3, END_OF_HOB_LIST: 0xffff } as const;
export const EFI_HOB_HANDOFF_TABLE_VERSION = 9;

export const EFI_RESOURCE = { SYSTEM_MEMORY: 0, MEMORY_UNACCEPTED: 7 } as const;
/** Present, initialised, tested: QEMU's attributes for memory of either kind. */
export const EFI_RESOURCE_ATTRIBUTES = 0x7;

/** Type u16, length u16, reserved u32. */
const HEADER_BYTES = 8;
/** Header, version u32, boot mode u32, five u64 addresses of which the last is EfiEndOfHobList. */
const HANDOFF_BYTES = 56;
const END_OF_HOB_LIST_FIELD = 48;
/** Header, owner GUID, resource type u32, attributes u32, start u64, length u64. */
const RESOURCE_BYTES = 48;

const RESOURCE_TYPE = { added: EFI_RESOURCE.SYSTEM_MEMORY, unaccepted: EFI_RESOURCE.MEMORY_UNACCEPTED } as const;

/**
 * Builds the HOB list: PHIT, one resource descriptor a RAM entry, end of list. Reserved ranges and MMIO are not described: QEMU
 * does not either. What follows in the TD_HOB section is zeros.
 * @param address GPA of the TD_HOB section.
 * @param size bytes of the TD_HOB section.
 * @throws {FirmwareError} `hob-overrun` when the list is longer than the section.
 */
export function buildTdHob(address: number, size: number, ram: readonly TdxRamEntry[]): Uint8Array {
  const length = HANDOFF_BYTES + ram.length * RESOURCE_BYTES + HEADER_BYTES;
  if (length > size) {
    throw new FirmwareError(
      'hob-overrun',
      `the TD HOB needs ${length} bytes, its section has ${size}: use a firmware with a larger TD_HOB section`,
    );
  }
  const list = new Uint8Array(length);
  const view = viewOf(list);
  writeHeader(view, 0, EFI_HOB_TYPE.HANDOFF, HANDOFF_BYTES);
  view.setUint32(8, EFI_HOB_HANDOFF_TABLE_VERSION, true);
  // QEMU points behind the end HOB, edk2's own lists point at it; the four other addresses are ignored and stay 0.
  view.setBigUint64(END_OF_HOB_LIST_FIELD, BigInt(address + length), true);
  ram.forEach((entry, i) => {
    writeResource(view, HANDOFF_BYTES + i * RESOURCE_BYTES, entry);
  });
  writeHeader(view, length - HEADER_BYTES, EFI_HOB_TYPE.END_OF_HOB_LIST, HEADER_BYTES);
  return list;
}

function writeHeader(view: DataView, offset: number, type: number, length: number): void {
  view.setUint16(offset, type, true);
  view.setUint16(offset + 2, length, true);
}

function writeResource(view: DataView, offset: number, entry: TdxRamEntry): void {
  writeHeader(view, offset, EFI_HOB_TYPE.RESOURCE_DESCRIPTOR, RESOURCE_BYTES);
  view.setUint32(offset + 24, RESOURCE_TYPE[entry.type], true);
  view.setUint32(offset + 28, EFI_RESOURCE_ATTRIBUTES, true);
  view.setBigUint64(offset + 32, BigInt(entry.address), true);
  view.setBigUint64(offset + 40, BigInt(entry.length), true);
}

/** A resource descriptor as stored. */
export interface HobResource {
  readonly resourceType: number;
  readonly resourceAttribute: number;
  readonly physicalStart: bigint;
  readonly resourceLength: bigint;
}

/** A HOB list as a reader sees it. */
export interface HobList {
  readonly version: number;
  readonly bootMode: number;
  /** GPA. */
  readonly endOfHobList: bigint;
  readonly resources: readonly HobResource[];
  /** Bytes of the list, its end HOB included. */
  readonly length: number;
}

/**
 * Reads a HOB list; blocks of other types are skipped.
 * @throws {FirmwareError} `hob-corrupt` when the list does not begin with a PHIT, or a block does not fit.
 */
export function parseHobList(bytes: Uint8Array): HobList {
  const view = viewOf(bytes);
  const resources: HobResource[] = [];
  for (let at = 0; ; ) {
    const { type, length } = readHeader(view, at);
    if (at === 0 && (type !== EFI_HOB_TYPE.HANDOFF || length < HANDOFF_BYTES)) throw corrupt(at, 'is no hand-off table');
    if (type === EFI_HOB_TYPE.RESOURCE_DESCRIPTOR) resources.push(readResource(view, at, length));
    at += length;
    if (type === EFI_HOB_TYPE.END_OF_HOB_LIST) {
      const endOfHobList = view.getBigUint64(END_OF_HOB_LIST_FIELD, true);
      return { version: view.getUint32(8, true), bootMode: view.getUint32(12, true), endOfHobList, resources, length: at };
    }
  }
}

function readHeader(view: DataView, at: number): { type: number; length: number } {
  if (at + HEADER_BYTES > view.byteLength) throw corrupt(at, 'is outside the list: there is no end HOB');
  const length = view.getUint16(at + 2, true);
  if (length < HEADER_BYTES || length % 8 !== 0 || at + length > view.byteLength) throw corrupt(at, `has the length ${length}`);
  return { type: view.getUint16(at, true), length };
}

function readResource(view: DataView, at: number, length: number): HobResource {
  if (length < RESOURCE_BYTES) throw corrupt(at, `has the length ${length}`);
  return {
    resourceType: view.getUint32(at + 24, true),
    resourceAttribute: view.getUint32(at + 28, true),
    physicalStart: view.getBigUint64(at + 32, true),
    resourceLength: view.getBigUint64(at + 40, true),
  };
}

function corrupt(at: number, what: string): FirmwareError {
  return new FirmwareError('hob-corrupt', `the HOB at offset ${hex(at)} ${what}: build the list anew`);
}
