/**
 * The TD HOB: the list of hand-off blocks in which the VMM tells the firmware the TD's memory.
 * Layouts: UEFI Platform Initialization specification, volume 3, chapter 5. Contents: as QEMU writes them.
 */
import {
  EFI_HOB_GENERIC_HEADER as HEADER,
  HOB,
  HOB_RESOURCE,
  HOB_RESOURCE_ATTRIBUTE,
  HOB_TYPE,
  EFI_HOB_HANDOFF_INFO_TABLE as PHIT,
  EFI_HOB_RESOURCE_DESCRIPTOR as RESOURCE,
} from '../../spec/tdvf.ts';
import { FirmwareError, hex } from './errors.ts';
import type { TdxRamEntry } from './ram.ts';

const RESOURCE_TYPE = { added: HOB_RESOURCE.SYSTEM_MEMORY, unaccepted: HOB_RESOURCE.MEMORY_UNACCEPTED } as const;
/** QEMU's attributes for memory of either kind. */
const MEMORY_ATTRIBUTES = HOB_RESOURCE_ATTRIBUTE.PRESENT | HOB_RESOURCE_ATTRIBUTE.INITIALIZED | HOB_RESOURCE_ATTRIBUTE.TESTED;

/**
 * Builds the HOB list: PHIT, one resource descriptor a RAM entry, end of list. Reserved ranges and MMIO are not described: QEMU
 * does not either. What follows in the TD_HOB section is zeros.
 * @param address GPA of the TD_HOB section.
 * @param size bytes of the TD_HOB section.
 * @throws {FirmwareError} `hob-overrun` when the list is longer than the section.
 */
export function buildTdHob(address: number, size: number, ram: readonly TdxRamEntry[]): Uint8Array {
  const length = PHIT.SIZE + ram.length * RESOURCE.SIZE + HEADER.SIZE;
  if (length > size) {
    const what = `the TD HOB needs ${length} bytes, its section has ${size}`;
    throw new FirmwareError('hob-overrun', `${what}: use a firmware with a larger TD_HOB section`);
  }
  const list = new Uint8Array(length);
  writeHeader(list, 0, HOB_TYPE.HANDOFF, PHIT.SIZE);
  PHIT.Version.set(list, HOB.HANDOFF_TABLE_VERSION);
  // QEMU points behind the end HOB, edk2's own lists point at it; the four other addresses are ignored and stay 0.
  PHIT.EfiEndOfHobList.setNumber(list, address + length);
  ram.forEach((entry, i) => {
    writeResource(list, PHIT.SIZE + i * RESOURCE.SIZE, entry);
  });
  writeHeader(list, length - HEADER.SIZE, HOB_TYPE.END_OF_HOB_LIST, HEADER.SIZE);
  return list;
}

function writeHeader(list: Uint8Array, at: number, type: number, length: number): void {
  HEADER.HobType.set(list, type, at);
  HEADER.HobLength.set(list, length, at);
}

function writeResource(list: Uint8Array, at: number, entry: TdxRamEntry): void {
  writeHeader(list, at, HOB_TYPE.RESOURCE_DESCRIPTOR, RESOURCE.SIZE);
  RESOURCE.ResourceType.set(list, RESOURCE_TYPE[entry.type], at);
  RESOURCE.ResourceAttribute.set(list, MEMORY_ATTRIBUTES, at);
  RESOURCE.PhysicalStart.setNumber(list, entry.address, at);
  RESOURCE.ResourceLength.setNumber(list, entry.length, at);
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
  const resources: HobResource[] = [];
  for (let at = 0; ; ) {
    const { type, length } = readHeader(bytes, at);
    if (at === 0 && (type !== HOB_TYPE.HANDOFF || length < PHIT.SIZE)) throw corrupt(at, 'is no hand-off table');
    if (type === HOB_TYPE.RESOURCE_DESCRIPTOR) resources.push(readResource(bytes, at, length));
    at += length;
    if (type === HOB_TYPE.END_OF_HOB_LIST) {
      const { Version, BootMode, EfiEndOfHobList } = PHIT;
      const endOfHobList = EfiEndOfHobList.get(bytes);
      return { version: Version.get(bytes), bootMode: BootMode.get(bytes), endOfHobList, resources, length: at };
    }
  }
}

function readHeader(bytes: Uint8Array, at: number): { type: number; length: number } {
  if (at + HEADER.SIZE > bytes.length) throw corrupt(at, 'is outside the list: there is no end HOB');
  const length = HEADER.HobLength.get(bytes, at);
  if (length < HEADER.SIZE || length % 8 !== 0 || at + length > bytes.length) throw corrupt(at, `has the length ${length}`);
  return { type: HEADER.HobType.get(bytes, at), length };
}

function readResource(bytes: Uint8Array, at: number, length: number): HobResource {
  if (length < RESOURCE.SIZE) throw corrupt(at, `has the length ${length}`);
  return {
    resourceType: RESOURCE.ResourceType.get(bytes, at),
    resourceAttribute: RESOURCE.ResourceAttribute.get(bytes, at),
    physicalStart: RESOURCE.PhysicalStart.get(bytes, at),
    resourceLength: RESOURCE.ResourceLength.get(bytes, at),
  };
}

function corrupt(at: number, what: string): FirmwareError {
  return new FirmwareError('hob-corrupt', `the HOB at offset ${hex(at)} ${what}: build the list anew`);
}
