/** Stress programs: random traffic over the memory core, reproducible down to the last answer (docs/stress-law.md). */
export { checkStressProgram, completeStressProgram } from './check.ts';
export {
  type StressMemoryFacts,
  StressMisuse,
  type StressMisuseCode,
  StressOutOfMemory,
  type StressRemedy,
  type StressShortage,
} from './errors.ts';
export { STRESS_FAULTS, type StressFault } from './faults.ts';
export { STRESS_KNOBS, type StressKnob } from './hardware.ts';
export { STRESS_PRESETS, type StressPreset, type StressPresetName } from './presets.ts';
export {
  DEFAULT_STRESS_PROGRAM,
  STRESS_OPERATIONS,
  STRESS_PATTERNS,
  type StressHardware,
  type StressKeyIds,
  type StressOperation,
  type StressParameter,
  type StressPattern,
  type StressPatternKind,
  type StressPatternTerm,
  type StressProgram,
  type StressTerm,
} from './program.ts';
export { mergeStressResults, type StressResult } from './result.ts';
export { type StressOptions, StressRun } from './run.ts';
export { STRESS_SHARDS, type StressShard, shardOperations } from './shards.ts';
