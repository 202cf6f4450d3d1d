import { addedSections } from './load-firmware.ts';
import {
  buildTdHob,
  E820_RAM,
  type E820Entry,
  FirmwareError,
  hex,
  q35E820,
  type TdvfImage,
  tdxRamEntries,
} from './tdvf/index.ts';

const FOUR_GIB = 2 ** 32;
const PAGE_BYTES = 4096;

/** What the VMM backs with memory: RAM, and below 4 GiB the flash that holds the image. */
export const backedRanges = (image: TdvfImage, memory: number): E820Entry[] => [
  ...q35E820(memory),
  { address: FOUR_GIB - image.size, length: image.size, type: E820_RAM },
];

/**
 * Whether a TD with this much memory can be built from the image; nothing is changed.
 * @param memory bytes of RAM.
 * @throws {FirmwareError} `unaligned`, `section-outside-ram` or `hob-overrun`.
 */
export function checkLoadable(image: TdvfImage, memory: number): void {
  if (image.size % PAGE_BYTES !== 0)
    throw new FirmwareError(
      'unaligned',
      `the image has ${image.size} bytes: flash is whole pages, pad it to a multiple of 4 KiB`,
    );
  const { tdHob } = image;
  const entries = tdxRamEntries(q35E820(memory), image.sections);
  if (tdHob) buildTdHob(tdHob.memoryAddress, tdHob.memoryDataSize, entries);
  const ranges = backedRanges(image, memory);
  for (const { index, name, memoryAddress: start, memoryDataSize } of addedSections(image)) {
    const end = start + memoryDataSize;
    if (ranges.some(({ address, length }) => address <= start && end <= address + length)) continue;
    const what = `section ${index} (${name}) at GPA ${hex(start)} to ${hex(end)}`;
    const flash = `${hex(FOUR_GIB - image.size)} to 4 GiB`;
    throw new FirmwareError(
      'section-outside-ram',
      `${what} is neither in the TD's RAM nor in its flash (${flash}): move it there`,
    );
  }
}
