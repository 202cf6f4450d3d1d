/** TDVF firmware images: reading, building, and the TD HOB. Pure functions over bytes. */
export { buildTdvf, type TdvfPlan } from './build.ts';
export { defaultFirmware } from './default-image.ts';
export { FIRMWARE_ERROR_CODES, FirmwareError, type FirmwareErrorCode, hex } from './errors.ts';
export { buildTdHob, type HobList, type HobResource, parseHobList } from './hob.ts';
export { MR_EXTEND, PAGE_AUG, SECTION_TYPE, type TdvfSection, type TdvfSectionRecord } from './layout.ts';
export { MAX_IMAGE_BYTES, parseTdvf, type TdvfImage } from './parse.ts';
export { E820_RAM, type E820Entry, q35E820, type TdxRamEntry, tdxRamEntries } from './ram.ts';
