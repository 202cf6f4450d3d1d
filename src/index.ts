/** Seamline: Intel TDX as a deterministic machine. */
export { type CoreConfig, CoreMisuse, createCore, type MemoryCore } from '../bindings/index.ts';
export { type BootOptions, boot } from './lab/boot.ts';
export { defaultFirmware, FirmwareError, parseTdvf, type TdvfImage, type TdvfSection } from './lab/firmware.ts';
export { allKnobs, KnobError, type KnobVector } from './lab/knobs.ts';
export { type Ending, Machine, type MachineOptions } from './lab/machine.ts';
export { type Measurement, measure } from './lab/measure.ts';
export { findProfile, PROFILES, type Profile } from './lab/profiles.ts';
export type { Attestation, BootReport, Cause, StepRecord, Verdict } from './lab/report.ts';
export {
  GPR,
  HardwareException,
  type LogicalProcessor,
  MachineCheck,
  type MemoryMap,
  Platform,
  type PlatformOptions,
  referenceMap,
  type Software,
  smallMap,
} from './platform/index.ts';
export { Probe } from './platform/probe.ts';
