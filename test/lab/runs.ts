/** The main job with the embedded firmware, on the small map unless a test says otherwise. */
import { type BootOptions, boot } from '../../src/lab/boot.ts';
import { defaultFirmware } from '../../src/lab/firmware.ts';
import type { BootReport, StepRecord } from '../../src/lab/report.ts';
import { smallMap } from '../../src/platform/index.ts';

export const FIRMWARE = { name: 'default', bytes: defaultFirmware() } as const;

export const options = (changes: Partial<BootOptions> = {}): BootOptions => ({
  profile: '7.1',
  seed: 1n,
  firmware: FIRMWARE,
  memoryMap: smallMap,
  ...changes,
});

export const run = (changes: Partial<BootOptions> = {}): BootReport => boot(options(changes));

/** Steps that did not end well, each once. */
export const notOk = ({ steps }: BootReport): string[] => [
  ...new Set(
    steps.filter(({ outcome }) => outcome !== 'ok').map(({ phase, outcome, detail }) => `${phase}: ${outcome}, ${detail}`),
  ),
];

export const stepsOf = ({ steps }: BootReport, phase: string): StepRecord[] => steps.filter((step) => step.phase === phase);
