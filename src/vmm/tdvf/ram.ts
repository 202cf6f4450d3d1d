import { FirmwareError, hex } from './errors.ts';
import { FOUR_GIB, SECTION_TYPE, type TdvfSection } from './layout.ts';

/** A range of the guest's memory map, in bytes; type 1 is RAM. */
export interface E820Entry {
  readonly address: number;
  readonly length: number;
  readonly type: number;
}

export const E820_RAM = 1;

/** QEMU's machine q35: with this much memory, RAM below 4 GiB shrinks from 2.75 GiB to 2 GiB. */
const Q35_LOW_MEMORY = { split: 0xb0000000, large: 0x80000000 };

/**
 * The RAM of a TD as QEMU's machine q35 lays it out: below 4 GiB up to 2.75 GiB (2 GiB for larger TDs), the rest from 4 GiB on.
 * @param bytes of memory, a multiple of 4 KiB.
 */
export function q35E820(bytes: number): E820Entry[] {
  const low = Math.min(bytes, bytes >= Q35_LOW_MEMORY.split ? Q35_LOW_MEMORY.large : Q35_LOW_MEMORY.split);
  const ram = (address: number, length: number): E820Entry => ({ address, length, type: E820_RAM });
  return [ram(0, low), ram(FOUR_GIB, bytes - low)].filter((entry) => entry.length > 0);
}

/** A range of RAM as the TD finds it: its pages are there (TDH.MEM.PAGE.ADD), or it has to accept them. */
export interface TdxRamEntry {
  readonly address: number;
  readonly length: number;
  readonly type: 'added' | 'unaccepted';
}

/** Sections whose pages are RAM and are added before the TD runs. QEMU knows the first two; Payload and PayloadParam likewise is assumed. */
const ADDED_RAM: readonly number[] = [
  SECTION_TYPE.TD_HOB,
  SECTION_TYPE.TEMP_MEM,
  SECTION_TYPE.PAYLOAD,
  SECTION_TYPE.PAYLOAD_PARAM,
];

/**
 * Cuts the TD's RAM at the sections that are added to it, in ascending order, as QEMU does before it writes the TD HOB: one entry a
 * section, neighbours not merged. BFV and CFV are flash below 4 GiB, PermMem is accepted by the TD: neither is cut out.
 * @throws {FirmwareError} `section-outside-ram` when such a section does not lie inside one RAM range.
 */
export function tdxRamEntries(e820: readonly E820Entry[], sections: readonly TdvfSection[]): TdxRamEntry[] {
  const ram = e820.filter((entry) => entry.type === E820_RAM).sort((a, b) => a.address - b.address);
  const added = sections.filter((s) => ADDED_RAM.includes(s.type)).sort((a, b) => a.memoryAddress - b.memoryAddress);
  for (const s of added) {
    if (!ram.some((r) => r.address <= s.memoryAddress && s.memoryAddress + s.memoryDataSize <= r.address + r.length)) {
      const what = `section ${s.index} (${s.name}) at GPA ${hex(s.memoryAddress)} to ${hex(s.memoryAddress + s.memoryDataSize)}`;
      throw new FirmwareError('section-outside-ram', `${what} is not inside the TD's RAM: give the TD more memory`);
    }
  }
  return ram.flatMap((range) => cutRange(range, added));
}

function cutRange(range: E820Entry, added: readonly TdvfSection[]): TdxRamEntry[] {
  const entries: TdxRamEntry[] = [];
  const end = range.address + range.length;
  let at = range.address;
  for (const { memoryAddress, memoryDataSize } of added) {
    if (memoryAddress < at || memoryAddress >= end) continue;
    entries.push({ address: at, length: memoryAddress - at, type: 'unaccepted' });
    entries.push({ address: memoryAddress, length: memoryDataSize, type: 'added' });
    at = memoryAddress + memoryDataSize;
  }
  entries.push({ address: at, length: end - at, type: 'unaccepted' });
  return entries.filter((entry) => entry.length > 0);
}
