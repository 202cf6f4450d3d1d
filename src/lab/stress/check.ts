/** Looks a program over before anything starts, and completes a partial one. */
import { checkConfig } from '../../../bindings/checks.ts';
import { CoreMisuse } from '../../../bindings/memory-core.ts';
import { StressMisuse, type StressMisuseCode, typable } from './errors.ts';
import { checkKnobs } from './hardware.ts';
import { coreConfig, footprintLimit, regionBytes, seedOf } from './lower.ts';
import { DEFAULT_STRESS_PROGRAM, STRESS_OPERATIONS, STRESS_PATTERNS, type StressProgram } from './program.ts';
import { checkShard, STRESS_SHARDS, shardPart } from './shards.ts';
import { shown } from './shown.ts';

const LINE_BYTES = 64;
/** The owner of every region lies in a table. */
const MAX_REGIONS = 2 ** 20;
const MAX_GUEST_PAGES = 2 ** 20;
const MAX_KEY_IDS = 32766;
const MAX_STRIDE = 2 ** 46;
const MAX_REPEAT = 2 ** 31;
/** The heaviest weight of an operation, as text. */
export const MAX_WEIGHT = '1e15';

function require_(condition: boolean, code: StressMisuseCode, message: string): void {
  if (!condition) throw new StressMisuse(code, message);
}

const isWithin = (value: unknown, low: number, high: number): boolean =>
  typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
const isShare = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 1;
const size = (bytes: number): string => (isWithin(bytes, 0, 2 ** 53) ? typable(bytes) : shown(bytes));
const isPowerOfTwo = (value: number): boolean => value > 0 && Math.log2(value) % 1 === 0;
const names = (terms: readonly { readonly name: string }[]): string => terms.map(({ name }) => name).join(', ');

function checkNames(value: object, known: object, where: string): void {
  for (const name of Object.keys(value)) {
    const has = Object.hasOwn(known, name);
    require_(has, 'FIELD', `${where} has no '${shown(name)}': there are ${Object.keys(known).join(', ')}`);
  }
}

function checkFields(program: StressProgram): void {
  checkNames(program, DEFAULT_STRESS_PROGRAM, 'a stress program');
  for (const name of ['keyIds', 'pattern', 'mix', 'hardware'] as const) {
    require_(typeof program[name] === 'object' && program[name] !== null, 'FIELD', `${name}: give an object`);
  }
  require_(typeof program.prepare === 'boolean', 'FIELD', `prepare ${shown(program.prepare)}: give true or false`);
  checkNames(program.keyIds, DEFAULT_STRESS_PROGRAM.keyIds, 'keyIds');
  checkNames(program.hardware, DEFAULT_STRESS_PROGRAM.hardware, 'hardware');
}

function checkMemory(program: StressProgram, shards: number): void {
  const { packages, guestPages, hardware } = program;
  require_(isWithin(packages, 1, 8), 'PACKAGES', `packages ${shown(packages)}: give 1 to 8`);
  require_(
    isWithin(guestPages, 1, MAX_GUEST_PAGES),
    'FOOTPRINT',
    `guestPages ${shown(guestPages)}: give 1 to ${MAX_GUEST_PAGES} pages of 4 KiB`,
  );
  const bits = hardware.maxPhysAddrBits;
  require_(isWithin(bits, 46, 52), 'HARDWARE', `maxPhysAddrBits ${shown(bits)}: give 46 to 52`);
  checkFootprint(program, shards * LINE_BYTES);
  checkRegion(program, shards);
}

/** Base, footprint and the S-EPT behind it lie in the address space. */
function checkFootprint(program: StressProgram, least: number): void {
  const { base, footprint, hardware } = program;
  const limit = footprintLimit(program);
  const why = `of ${hardware.maxPhysAddrBits} address bits, less the S-EPT behind the footprint`;
  const highest = limit - least;
  require_(
    isWithin(base, 0, highest) && base % LINE_BYTES === 0,
    'ADDRESS',
    `base ${size(base)}: give a multiple of 64 from 0 to ${highest} (the end ${why})`,
  );
  const most = limit - base;
  require_(
    isWithin(footprint, least, most) && footprint % LINE_BYTES === 0,
    'FOOTPRINT',
    `footprint ${size(footprint)} from ${size(base)} on: give a multiple of 64 bytes, at least ${least} (a line for each shard) and at most ${most} (the end ${why})`,
  );
}

function checkRegion(program: StressProgram, shards: number): void {
  const { region, footprint } = program;
  require_(
    region === 0 || (isWithin(region, LINE_BYTES, 2 ** 52) && isPowerOfTwo(region)),
    'REGION',
    `region ${size(region)}: give a power of two from 64 bytes to 4PiB, or 0`,
  );
  const part = shardPart(footprint / LINE_BYTES, { index: 0, of: shards }) * LINE_BYTES;
  let least = LINE_BYTES;
  while (part / least > MAX_REGIONS) least *= 2;
  require_(
    part / regionBytes(program, part) <= MAX_REGIONS,
    'REGION',
    `region ${size(region)}: a shard of ${part} bytes has at most ${MAX_REGIONS} regions; give larger ones, of at least ${least} bytes`,
  );
}

function checkKeyIds(program: StressProgram): void {
  const { shared, private: private_, privateShare, cross } = program.keyIds;
  for (const [name, value] of Object.entries({ shared, private: private_ })) {
    require_(isWithin(value, 0, MAX_KEY_IDS), 'KEYIDS', `${name} KeyIDs ${shown(value)}: give 0 to ${MAX_KEY_IDS}`);
  }
  require_(shared + private_ <= MAX_KEY_IDS, 'KEYIDS', `${shared + private_} KeyIDs: at most ${MAX_KEY_IDS} beside KeyID 0`);
  require_(isShare(privateShare), 'KEYIDS', `privateShare ${shown(privateShare)}: give 0 to 1`);
  require_(isShare(cross), 'KEYIDS', `cross ${shown(cross)}: give 0 to 1`);
  require_(
    privateShare === 0 || private_ > 0,
    'KEYIDS',
    `privateShare ${privateShare} without private KeyIDs: give 0, or KeyIDs`,
  );
}

function checkPattern(program: StressProgram): void {
  const { pattern, keyIds } = program;
  const term = STRESS_PATTERNS.find(({ name }) => name === pattern.kind);
  if (term === undefined) {
    throw new StressMisuse('PATTERN', `unknown pattern '${shown(pattern.kind)}': there are ${names(STRESS_PATTERNS)}`);
  }
  const known = Object.fromEntries(['kind', ...term.parameters.map(({ name }) => name)].map((name) => [name, true]));
  checkNames(pattern, known, `pattern ${term.name}`);
  const bad = (name: string, value: unknown, what: string): string =>
    `pattern ${term.name}: ${name} ${shown(value)}: give ${what}`;
  switch (pattern.kind) {
    case 'strided':
      require_(
        isWithin(pattern.stride, 1, MAX_STRIDE),
        'PATTERN',
        bad('stride', pattern.stride, `a whole number of lines, 1 to ${MAX_STRIDE} (2^46)`),
      );
      return;
    case 'zipf':
      require_(pattern.s >= 1 / 64 && pattern.s <= 4, 'PATTERN', bad('s', pattern.s, '1/64 to 4'));
      return;
    case 'hot-set':
      require_(isShare(pattern.fraction), 'PATTERN', bad('fraction', pattern.fraction, '0 to 1'));
      require_(isShare(pattern.probability), 'PATTERN', bad('probability', pattern.probability, '0 to 1'));
      return;
    case 'ping-pong':
      require_(
        isWithin(pattern.repeat, 2, MAX_REPEAT),
        'PATTERN',
        bad('repeat', pattern.repeat, `a whole number, 2 to ${MAX_REPEAT} (2^31)`),
      );
      require_(keyIds.shared + keyIds.private > 0, 'PATTERN', 'pattern ping-pong: one KeyID cannot take turns; give more KeyIDs');
  }
}

function checkMix({ mix, keyIds }: StressProgram): void {
  for (const [name, weight] of Object.entries(mix)) {
    require_(
      STRESS_OPERATIONS.some((operation) => operation.name === name),
      'OPERATION',
      `unknown operation '${shown(name)}': there are ${names(STRESS_OPERATIONS)}`,
    );
    require_(
      typeof weight === 'number' && weight >= 0 && weight <= Number(MAX_WEIGHT),
      'WEIGHTS',
      `weight ${shown(weight)} of ${name}: give a number from 0 to ${MAX_WEIGHT}`,
    );
  }
  const sum = Object.values(mix).reduce((total, weight) => total + weight, 0);
  require_(sum > 0, 'WEIGHTS', 'all weights are 0: give at least one operation a weight');
  require_(
    !mix.rekey || keyIds.shared + keyIds.private > 0,
    'KEYIDS',
    'rekey without KeyIDs: nobody programs KeyID 0; give shared or private KeyIDs, or no weight to rekey',
  );
}

function checkHardware(program: StressProgram): void {
  checkKnobs(program);
  try {
    checkConfig(coreConfig(program, 0n, program.footprint));
  } catch (error) {
    if (error instanceof CoreMisuse) throw new StressMisuse('HARDWARE', error.message);
    throw error;
  }
}

/**
 * Throws {@link StressMisuse} unless the program can run, cut into `shards` (default: {@link STRESS_SHARDS}).
 * The first thing that is wrong is named, with what to give instead.
 */
export function checkStressProgram(program: StressProgram, shards: number = STRESS_SHARDS): void {
  checkShard({ index: 0, of: shards });
  checkFields(program);
  seedOf(program);
  checkMemory(program, shards);
  checkKeyIds(program);
  checkPattern(program);
  checkMix(program);
  checkHardware(program);
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A whole program from one that leaves things out, as a user writes it: what is missing is taken from `from`, field by field in
 * `keyIds` and `hardware`; `mix` stands for itself, and a pattern's missing numbers have the defaults of {@link STRESS_PATTERNS}.
 * Throws {@link StressMisuse} as {@link checkStressProgram} does.
 */
export function completeStressProgram(partial: unknown, from: StressProgram = DEFAULT_STRESS_PROGRAM): StressProgram {
  if (!isObject(partial)) throw new StressMisuse('FIELD', 'a stress program is a JSON object');
  const whole: Record<string, unknown> = { ...from, ...partial };
  for (const name of ['keyIds', 'hardware'] as const) {
    if (isObject(partial[name])) whole[name] = { ...from[name], ...partial[name] };
  }
  if (isObject(partial.pattern)) whole.pattern = { ...patternDefaults(partial.pattern.kind), ...partial.pattern };
  if (typeof partial.pattern === 'string') whole.pattern = { kind: partial.pattern, ...patternDefaults(partial.pattern) };
  const program = whole as unknown as StressProgram;
  checkStressProgram(program);
  return program;
}

function patternDefaults(kind: unknown): Record<string, number> {
  const parameters = STRESS_PATTERNS.find(({ name }) => name === kind)?.parameters ?? [];
  return Object.fromEntries(parameters.map((parameter) => [parameter.name, parameter.default]));
}
