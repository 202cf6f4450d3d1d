/** Programs that cannot run: one clear line each, and nothing started. */
import { describe, expect, it } from 'vitest';
import {
  checkStressProgram,
  completeStressProgram,
  DEFAULT_STRESS_PROGRAM,
  STRESS_PATTERNS,
  STRESS_PRESETS,
  StressMisuse,
  type StressProgram,
  StressRun,
  shardOperations,
} from '../../../src/lab/index.ts';
import { BUSY } from './programs.ts';

function misuse(body: () => void): StressMisuse {
  try {
    body();
  } catch (error) {
    if (error instanceof StressMisuse) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

const keyIds = (changes: object): object => ({ keyIds: { ...DEFAULT_STRESS_PROGRAM.keyIds, ...changes } });
const hardware = (changes: object): object => ({ hardware: { ...DEFAULT_STRESS_PROGRAM.hardware, ...changes } });

const BAD: [string, object, string, string][] = [
  ['an unknown pattern', { pattern: { kind: 'spiral' } }, 'PATTERN', 'sequential, strided'],
  ['an unknown operation', { mix: { lode: 1 } }, 'OPERATION', 'load, store'],
  ['weights that sum to zero', { mix: { load: 0, store: 0 } }, 'WEIGHTS', 'at least one'],
  ['no weights', { mix: {} }, 'WEIGHTS', 'at least one'],
  ['a negative weight', { mix: { load: 2, store: -1 } }, 'WEIGHTS', '-1 of store'],
  ['a weight that is no number', { mix: { load: Number.NaN } }, 'WEIGHTS', 'NaN of load'],
  ['a footprint above the address width', { footprint: 2 ** 52 }, 'FOOTPRINT', '52 address bits'],
  [
    'a footprint above a narrower address width',
    { footprint: 2 ** 47, ...hardware({ maxPhysAddrBits: 46 }) },
    'FOOTPRINT',
    '46 address bits',
  ],
  ['a footprint of half a line', { footprint: 65_536 + 32 }, 'FOOTPRINT', 'multiple of 64'],
  ['a footprint with fewer lines than shards', { footprint: 15 * 64 }, 'FOOTPRINT', 'at least 1024'],
  ['a negative footprint', { footprint: -64 }, 'FOOTPRINT', 'multiple of 64'],
  ['a base that is no line', { base: 32 }, 'ADDRESS', 'multiple of 64'],
  ['a region that is no power of two', { region: 192 }, 'REGION', 'power of two'],
  ['too many regions', { footprint: 2 ** 40, region: 64 }, 'REGION', 'larger ones'],
  ['no packages', { packages: 0 }, 'PACKAGES', '1 to 8'],
  ['nine packages', { packages: 9 }, 'PACKAGES', '1 to 8'],
  ['a seed that is too wide', { seed: 2n ** 64n }, 'SEED', '2^64'],
  ['a seed that is no number', { seed: 'tuesday' }, 'SEED', '2^64'],
  ['a seed that no double holds', { seed: 2 ** 60 }, 'SEED', '2^64'],
  ['too many KeyIDs', keyIds({ private: 40_000 }), 'KEYIDS', '32766'],
  ['half a KeyID', keyIds({ shared: 0.5 }), 'KEYIDS', '0.5'],
  ['private memory without private KeyIDs', keyIds({ private: 0 }), 'KEYIDS', 'privateShare'],
  ['a share above 1', keyIds({ cross: 1.5 }), 'KEYIDS', '0 to 1'],
  ['a stride of 0', { pattern: { kind: 'strided', stride: 0 } }, 'PATTERN', 'stride 0'],
  ['zipf without s', { pattern: { kind: 'zipf' } }, 'PATTERN', '1/64 to 4'],
  ['a number the pattern does not take', { pattern: { kind: 'uniform', s: 1 } }, 'FIELD', "no 's'"],
  [
    'ping-pong with one KeyID',
    { pattern: { kind: 'ping-pong', repeat: 2 }, ...keyIds({ shared: 0, private: 0, privateShare: 0 }) },
    'PATTERN',
    'turns',
  ],
  [
    'rekey with KeyID 0 alone',
    { mix: { load: 1, rekey: 1 }, ...keyIds({ shared: 0, private: 0, privateShare: 0 }) },
    'KEYIDS',
    'KeyID 0',
  ],
  ['no guest pages', { guestPages: 0 }, 'FOOTPRINT', 'guestPages 0'],
  ['an unknown field', { footprints: 1 }, 'FIELD', 'footprints'],
  ['an unknown knob', hardware({ cacheSet: 1 }), 'FIELD', 'cacheSet'],
  ['a knob value that does not exist', hardware({ integrity: 'Cx' }), 'HARDWARE', 'Cx'],
  ['cache sets that are no power of two', hardware({ cacheSets: 3 }), 'HARDWARE', 'power of two'],
  ['a knob that is no boolean', hardware({ provenance: 'yes' }), 'HARDWARE', 'true or false'],
];

describe('a bad program', () => {
  it.each(BAD)('%s', (_name, changes, code, says) => {
    const program = { ...DEFAULT_STRESS_PROGRAM, ...changes } as StressProgram;
    const error = misuse(() => checkStressProgram(program));
    expect(error.code).toBe(code);
    expect(error.message).toContain(says);
    expect(error.message).not.toContain('\n');
    expect(misuse(() => new StressRun(program, { index: 0, of: 16 })).message).toBe(error.message);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('%s operations', (operations) => {
    expect(misuse(() => new StressRun(BUSY).run(operations)).code).toBe('COUNT');
    expect(misuse(() => shardOperations(operations, { index: 0, of: 16 })).code).toBe('COUNT');
  });

  it('a shard that does not exist', () => {
    for (const shard of [
      { index: 16, of: 16 },
      { index: -1, of: 16 },
      { index: 0, of: 0 },
    ])
      expect(misuse(() => new StressRun(BUSY, shard)).code).toBe('SHARD');
  });
});

describe('a good program', () => {
  it('is every preset, and every pattern with its defaults', () => {
    for (const { program } of STRESS_PRESETS) checkStressProgram(program);
    for (const { name } of STRESS_PATTERNS) expect(completeStressProgram({ pattern: name }).pattern.kind).toBe(name);
  });

  it('may leave out what has a default', () => {
    const program = completeStressProgram({
      footprint: 2 ** 30,
      keyIds: { cross: 0 },
      pattern: { kind: 'hot-set', fraction: 0.5 },
    });
    expect(program).toEqual({
      ...DEFAULT_STRESS_PROGRAM,
      footprint: 2 ** 30,
      keyIds: { ...DEFAULT_STRESS_PROGRAM.keyIds, cross: 0 },
      pattern: { kind: 'hot-set', fraction: 0.5, probability: 0.9 },
    });
    expect(completeStressProgram(JSON.parse(JSON.stringify(program)))).toEqual(program);
    for (const bad of [null, [], 'load', { mix: null }, { pattern: 7 }]) misuse(() => completeStressProgram(bad));
  });

  it('may reach the last byte of the address space', () => {
    const guestPages = 1;
    const footprint = 64 * 64;
    const base = 2 ** 52 - footprint - 4 * 4096;
    const program = { ...BUSY, base, footprint, guestPages };
    const run = new StressRun(program);
    run.run(100);
    expect(run.result.operations).toBe(100);
    expect(misuse(() => checkStressProgram({ ...program, base: base + 64 })).code).toBe('FOOTPRINT');
  });
});
