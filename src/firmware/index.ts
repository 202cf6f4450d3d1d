export { biosCmrs } from './bios.ts';
export { type McheckResult, mcheck } from './mcheck.ts';
export { type FirmwareReport, powerOn } from './power-on.ts';
export { type CreateModule, SeamLoader } from './seamldr.ts';
