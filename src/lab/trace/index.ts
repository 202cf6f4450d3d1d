export { traceHash } from './hash.ts';
export { writeTrace } from './perfetto.ts';
