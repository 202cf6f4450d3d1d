/** What a machine's memory is good for: an estimate, for the message of one that has run out. */
import type { StressRecord } from '../../../bindings/stress.ts';
import type { StressCoreProgram, StressPatternCode } from '../../../bindings/stress-program.ts';

const LINES_PER_PAGE = 64;
const PAGE_BYTES = 4096;
/** A page in DRAM and in a cache, each with a tag and a writer for every line, and the MACs and the log of displacements. */
const FULL_PAGE_BYTES = 3 * PAGE_BYTES;
/** Memory that is not prepared is poisoned at its first private access, and where poison came from has a record for each line. */
const POISONED_PAGE_BYTES = 4 * PAGE_BYTES;
const MARGIN = 0.9;

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

export interface MemoryFit {
  /** Bytes of the shard's footprint that have been met, in whole pages. */
  readonly touched: number;
  /** Bytes of a shard's footprint of which every page has room. */
  readonly fits: number;
}

/** Before the first operation the set-up counts: crypto may make all that it writes real. */
export function estimateFit(program: StressCoreProgram, record: StressRecord, used: number, limit: number): MemoryFit {
  const { operations, preparedLines } = record;
  const pages = Math.max(1, operations === 0 ? preparedLines / LINES_PER_PAGE : touchedPages(program, operations));
  const full = program.prepare ? FULL_PAGE_BYTES : POISONED_PAGE_BYTES;
  const fits = Math.floor((limit * MARGIN) / Math.max(used / pages, full));
  return { touched: Math.round(pages) * PAGE_BYTES, fits: Math.max(1, fits) * PAGE_BYTES };
}
