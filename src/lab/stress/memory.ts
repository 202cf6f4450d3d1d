/** What a machine's memory is good for: what a shard that has run out of it had no room for, and what would fit. */
import { CoreMisuse, type CoreOptions } from '../../../bindings/index.ts';
import { StressCore, type StressRecord } from '../../../bindings/stress.ts';
import type { StressCoreProgram, StressPatternCode } from '../../../bindings/stress-program.ts';
import type { StressMemoryFacts, StressRemedy, StressShortage } from './errors.ts';
import type { LoweredProgram } from './lower.ts';

const LINES_PER_PAGE = 64;
const PAGE_BYTES = 4096;
/** A page in DRAM and in a cache, each with a tag and a writer for every line, and the MACs and the log of displacements. */
const FULL_PAGE_BYTES = 3 * PAGE_BYTES;
/** Memory that is not prepared is poisoned at its first private access, and where poison came from has a record for each line. */
const POISONED_PAGE_BYTES = 4 * PAGE_BYTES;
const MARGIN = 0.9;
/** What the machine keeps free for the step in hand. */
const STEP_BYTES = 2 ** 19;

/** Different pages that `draws` uniform draws from `pages` meet, on average. */
function distinct(pages: number, draws: number): number {
  return pages * -Math.expm1(draws * Math.log1p(-1 / Math.max(2, pages)));
}

/** New pages an operation, of the patterns that go in order. */
const STEPS: Partial<Record<StressPatternCode, (parameter: number) => number>> = {
  0: () => 1 / LINES_PER_PAGE,
  1: (stride) => Math.min(1, stride / LINES_PER_PAGE),
  5: (repeat) => 1 / (repeat * LINES_PER_PAGE),
};

/** Pages that the pattern has met after so many operations, about; patterns that draw unevenly meet fewer. */
function touchedPages({ pattern, parameter, lines }: StressCoreProgram, operations: number): number {
  const pages = Math.ceil(lines / LINES_PER_PAGE);
  const step = STEPS[pattern]?.(parameter);
  return step === undefined ? distinct(pages, operations) : Math.min(pages, operations * step);
}

/** Bytes of a machine's memory. */
export interface MemoryUse {
  readonly used: number;
  /** In use before the first line was written: caches, keys, regions. */
  readonly fixed: number;
  readonly limit: number;
}

/** Pages that were written or touched when memory ran out: before the first operation, those of the set-up. */
function pagesMet(program: StressCoreProgram, { operations, preparedLines }: StressRecord): number {
  return Math.ceil(operations === 0 ? preparedLines / LINES_PER_PAGE : touchedPages(program, operations));
}

/** Pages of a shard's footprint that have room. */
function pagesThatFit(program: StressCoreProgram, pages: number, { used, fixed, limit }: MemoryUse): number {
  const full = program.prepare ? FULL_PAGE_BYTES : POISONED_PAGE_BYTES;
  const room = Math.min(limit * MARGIN, limit - STEP_BYTES) - fixed;
  return Math.max(0, Math.floor(room / Math.max((used - fixed) / Math.max(1, pages), full)));
}

const TYPED_UNITS = [2 ** 30, 2 ** 20, PAGE_BYTES];

/** No more than `bytes`, and in whole units, as somebody would type it: `9MiB`, not `9.56 MiB`. */
function rounded(bytes: number): number {
  const unit = TYPED_UNITS.find((each) => bytes >= 4 * each) ?? PAGE_BYTES;
  return Math.floor(bytes / unit) * unit;
}

/** What ran out while memory was prepared, or between two operations. */
export function footprintFacts(
  lowered: LoweredProgram,
  shards: number,
  record: StressRecord,
  use: MemoryUse,
): Omit<StressMemoryFacts, 'footprint'> {
  const { program, footprint } = lowered;
  const pages = pagesMet(program, record);
  const touched = pages * PAGE_BYTES;
  const estimate = rounded(pagesThatFit(program, pages, use) * PAGE_BYTES * shards);
  const fits = estimate > 0 && estimate < footprint * shards ? estimate : null;
  return {
    shortage: 'footprint',
    summary: summaryOf(record.operations, touched, footprint, use),
    remedies: remediesFor(lowered, record.operations, fits, use),
    operations: record.operations,
    memoryUsed: use.used,
    memoryLimit: use.limit,
    touched,
    fits,
  };
}

const takesMuchItself = ({ fixed, limit }: MemoryUse): boolean => fixed > limit / 2;

function summaryOf(operations: number, touched: number, footprint: number, use: MemoryUse): string {
  const far =
    operations === 0
      ? `while memory was prepared: ${size(touched)} of ${size(footprint)} written`
      : `after ${operations} operation${operations === 1 ? '' : 's'}: ${size(touched)} of ${size(footprint)} touched`;
  const own = takesMuchItself(use) ? `, ${size(use.fixed)} of it before the first line` : '';
  return `out of memory ${far} took ${size(use.used)} of ${size(use.limit)}${own}`;
}

function remediesFor({ config }: LoweredProgram, operations: number, fits: number | null, use: MemoryUse): StressRemedy[] {
  return [
    ...(fits === null ? [] : (['footprint'] as const)),
    ...(takesMuchItself(use) && config.cacheSets > 0 ? (['caches'] as const) : []),
    'memory',
    ...(operations === 0 ? [] : (['operations', 'pattern'] as const)),
  ];
}

/** A machine that is ready to be prepared fits, or it does not. */
function starts({ config, program }: Pick<LoweredProgram, 'config' | 'program'>, options: CoreOptions): boolean {
  try {
    new StressCore(config, program, options).setUp();
    return true;
  } catch (error) {
    if (error instanceof CoreMisuse && error.code === 'OUT_OF_MEMORY') return false;
    throw error;
  }
}

const withSets = ({ config, ...rest }: LoweredProgram, cacheSets: number): LoweredProgram => ({
  ...rest,
  config: { ...config, cacheSets },
});

/** The part of a machine that has no room, found by leaving it out. */
function missing(lowered: LoweredProgram, options: CoreOptions): StressShortage {
  if (starts(withSets(lowered, 0), options)) return 'caches';
  const oneRegion = { ...lowered.program, regionShift: Math.ceil(Math.log2(lowered.program.lines)) };
  return starts({ ...lowered, program: oneRegion }, options) ? 'regions' : 'keys';
}

/** What does not fit, and what would. */
const MACHINE_SUMMARIES: Readonly<Partial<Record<StressShortage, (lowered: LoweredProgram, options: CoreOptions) => string[]>>> =
  {
    caches: (lowered, options) => {
      const { cacheSets, cacheWays, packages } = lowered.config;
      let sets = Math.floor(cacheSets / 2);
      while (sets > 0 && !starts(withSets(lowered, sets), options)) sets = Math.floor(sets / 2);
      const what = `caches of ${cacheSets} sets and ${cacheWays} ways in each of ${packages} packages`;
      return [what, sets > 0 ? `${sets} sets do` : 'caches without bound (0 sets) do'];
    },
    regions: ({ program }) => [`tables of ${Math.ceil(program.lines / 2 ** program.regionShift)} regions`],
    keys: ({ config }) => [`keys of ${config.numSharedKeyIds + config.numPrivateKeyIds} KeyIDs in ${config.packages} packages`],
  };

/** What a machine that could not even be built had no room for. */
export function machineFacts(lowered: LoweredProgram, limit: number, options: CoreOptions): Omit<StressMemoryFacts, 'footprint'> {
  const shortage = missing(lowered, options);
  const [what, ...fitting] = MACHINE_SUMMARIES[shortage]!(lowered, options);
  return {
    shortage,
    summary: [`out of memory before the start: ${what} do not fit into ${size(limit)}`, ...fitting].join('; '),
    remedies: [shortage as StressRemedy, 'memory'],
    operations: 0,
    memoryUsed: null,
    memoryLimit: limit,
    touched: 0,
    fits: null,
  };
}

/** The host has refused what the machine's own limit would have allowed. */
export function hostFacts(operations: number, used: number | null, limit: number): Omit<StressMemoryFacts, 'footprint'> {
  const what = used === null ? 'address space' : `memory: ${size(used)} of at most ${size(limit)} in use`;
  return {
    shortage: 'host',
    summary: `the host gives no more ${what}`,
    remedies: ['host'],
    operations,
    memoryUsed: used,
    memoryLimit: limit,
    touched: 0,
    fits: null,
  };
}

/** Each line in DRAM remembers its key by a name, and names are few. */
export function generationFacts(operations: number, { used, limit }: MemoryUse): Omit<StressMemoryFacts, 'footprint'> {
  return {
    shortage: 'generations',
    summary: `after ${operations} operations, lines had been written under nearly 2^20 different keys, all that a machine can tell apart`,
    remedies: ['rekey', 'operations'],
    operations,
    memoryUsed: used,
    memoryLimit: limit,
    touched: 0,
    fits: null,
  };
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`;
}
