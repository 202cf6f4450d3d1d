/** Firmware images, for whoever composes a machine: the commands read them through this door. */
import { checkLoadable, DEFAULT_MEMORY } from '../vmm/index.ts';
import { MR_EXTEND, SECTION_TYPE, type TdvfImage, type TdvfSection } from '../vmm/tdvf/index.ts';

export {
  defaultFirmware,
  FirmwareError,
  MAX_IMAGE_BYTES,
  parseTdvf,
  type TdvfImage,
  type TdvfSection,
} from '../vmm/tdvf/index.ts';

/**
 * A section that is measured although its contents come from the VMM (the TD HOB, or a payload that is not in the image): MRTD then
 * depends on the TD, not on the image alone. Undefined for ordinary firmware.
 */
export function measuredByVmm(image: TdvfImage): TdvfSection | undefined {
  return image.sections.find((s) => (s.attributes & MR_EXTEND) !== 0 && s.rawDataSize === 0 && s.type !== SECTION_TYPE.TEMP_MEM);
}

/**
 * Whether the main job's VMM can build its TD from the image.
 * @throws {FirmwareError} when a section lies outside its memory, or the TD HOB does not fit.
 */
export const checkBootable = (image: TdvfImage): void => checkLoadable(image, DEFAULT_MEMORY);
