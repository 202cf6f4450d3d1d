/** All benches, in the order of the table of targets. */
import type { Bench } from '../harness/bench.ts';
import { cacheModel } from './cache-model.ts';
import { check } from './check.ts';
import { crypto } from './crypto.ts';
import { footprint } from './footprint.ts';
import { lazyEager } from './lazy-eager.ts';
import { line } from './line.ts';
import { movdir64b } from './movdir64b.ts';
import { peers } from './peers.ts';
import { range } from './range.ts';
import { sept } from './sept.ts';
import { start } from './start.ts';
import { wbinvd } from './wbinvd.ts';

export const suites: readonly Bench[] = [
  ...range,
  ...check,
  ...wbinvd,
  ...movdir64b,
  ...line,
  ...sept,
  ...lazyEager,
  ...crypto,
  ...cacheModel,
  ...footprint,
  ...start,
  ...peers,
];
