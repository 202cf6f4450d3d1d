/** Programs with a name. */
import { DEFAULT_STRESS_PROGRAM, type StressProgram, type StressTerm } from './program.ts';

export type StressPresetName = 'default' | 'stream' | 'cached' | 'aliases' | 'everything' | 'attack';

export interface StressPreset extends StressTerm<StressPresetName> {
  readonly program: StressProgram;
}

const MIB = 2 ** 20;

function preset(name: StressPresetName, description: string, changes: Partial<StressProgram>): StressPreset {
  return { name, description, program: { ...DEFAULT_STRESS_PROGRAM, ...changes } };
}

export const STRESS_PRESETS: readonly StressPreset[] = [
  preset('default', 'loads, stores and direct stores over 64 MiB, one in a thousand through a foreign KeyID', {}),
  preset('stream', 'loads and direct stores from end to end', {
    pattern: { kind: 'sequential' },
    mix: { load: 50, movdir64b: 50 },
    keyIds: { ...DEFAULT_STRESS_PROGRAM.keyIds, cross: 0 },
  }),
  preset('cached', 'loads and stores that mostly hit, in caches of 4096 sets and 16 ways', {
    pattern: { kind: 'zipf', s: 1 },
    mix: { load: 75, store: 25 },
    keyIds: { ...DEFAULT_STRESS_PROGRAM.keyIds, cross: 0 },
    hardware: { ...DEFAULT_STRESS_PROGRAM.hardware, cacheSets: 4096 },
  }),
  preset('aliases', 'two KeyIDs take turns on every line, and dirty aliases fall back in any order', {
    pattern: { kind: 'ping-pong', repeat: 4 },
    mix: { load: 45, store: 35, movdir64b: 10, clflush: 10, wbinvd: 0.001 },
  }),
  preset('everything', 'every operation, over 2 MiB', {
    footprint: 2 * MIB,
    mix: {
      load: 40,
      store: 25,
      movdir64b: 15,
      movnti: 4,
      clflush: 4,
      wbinvd: 0.01,
      evict: 1,
      'dma-read': 2,
      'dma-write': 2,
      rekey: 0.001,
      walk: 4,
      flip: 1,
    },
    hardware: { ...DEFAULT_STRESS_PROGRAM.hardware, cacheSets: 1024 },
  }),
  preset('attack', 'a physical attacker, a wild device and re-keying against ordinary traffic', {
    footprint: 16 * MIB,
    pattern: { kind: 'hot-set', fraction: 0.1, probability: 0.9 },
    mix: { load: 45, store: 25, movdir64b: 20, clflush: 4, 'dma-write': 3, rekey: 0.0005, flip: 3 },
  }),
];
