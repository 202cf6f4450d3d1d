/** What a machine's memory is good for: an estimate, for the message of one that has run out. */
import type { StressCoreProgram, StressPatternCode } from '../../../bindings/stress-program.ts';

const LINES_PER_PAGE = 64;
const PAGE_BYTES = 4096;

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
  const met = step === undefined ? distinct(pages, operations) : Math.min(pages, operations * step);
  return Math.max(1, met);
}

/** Bytes of the footprint met, and the footprint, both of one shard, whose every page the memory can hold. */
export function estimateFit(
  program: StressCoreProgram,
  operations: number,
  memoryUsed: number,
  memoryLimit: number,
): { touched: number; fits: number } {
  const pages = touchedPages(program, operations);
  const fits = Math.floor((memoryLimit / memoryUsed) * pages * 0.9);
  return { touched: Math.round(pages) * PAGE_BYTES, fits: Math.max(1, fits) * PAGE_BYTES };
}
