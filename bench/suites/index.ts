/** All benches, in the order of the table of targets. */
import type { Bench } from '../harness/bench.ts';
import { check } from './check.ts';
import { footprint } from './footprint.ts';
import { line } from './line.ts';
import { movdir64b } from './movdir64b.ts';
import { range } from './range.ts';
import { start } from './start.ts';
import { wbinvd } from './wbinvd.ts';

export const suites: readonly Bench[] = [...range, ...check, ...wbinvd, ...movdir64b, ...line, ...footprint, ...start];
