/** Scenarios, profiles, oracles and exporters over the whole machine. */
export { type BootOptions, boot } from './boot.ts';
export { findCauses } from './counterfactual.ts';
export { defaultFirmware, FirmwareError, parseTdvf, type TdvfImage, type TdvfSection } from './firmware.ts';
export { allKnobs, deviations, fullVector, KnobError, type KnobVector, parseKnob } from './knobs.ts';
export { type Ending, Machine, type MachineOptions } from './machine.ts';
export { type Measurement, measure } from './measure.ts';
export { findProfile, PROFILES, type Profile } from './profiles.ts';
export type { Attestation, BootReport, Cause, StepRecord, Verdict } from './report.ts';
export { type Classified, classify, type Outcome } from './seeds.ts';
export { type StepHooks, StepRecorder } from './steps.ts';
export * from './stress/index.ts';
