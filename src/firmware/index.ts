export { type BiosConfiguration, configureBios } from './bios.ts';
export { type McheckResult, mcheck } from './mcheck.ts';
export { type FirmwareReport, type PowerOnOptions, powerOn } from './power-on.ts';
export { type CreateModule, PSeamldr } from './seamldr.ts';
export { SEAMLDR_INFO, SEAMLDR_PARAMS, SEAMLDR_STATUS } from './seamldr-layouts.ts';
