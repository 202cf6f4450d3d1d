export { traceHash } from './hash.ts';
export { TRACE_SCHEMA, writeTrace } from './perfetto.ts';
