/** What is said about a run that ended before its last operation, and what to do about it. */
import { typable } from '../../lab/stress/errors.ts';
import type { StressMemoryFacts, StressRemedy } from '../../lab/stress/index.ts';
import { WASM_LIMIT } from './options.ts';
import type { Job } from './pool.ts';
import { counted } from './quantities.ts';
import type { Stop } from './run.ts';

/** In terms of the flags. */
const REMEDIES: Readonly<Record<StressRemedy, (job: Job, facts: StressMemoryFacts) => string>> = {
  footprint: (_job, { fits }) => `--footprint ${typable(fits!)}, about what fits`,
  operations: () => 'fewer --ops',
  pattern: () => 'a --pattern that meets fewer lines',
  caches: () => 'fewer hw.cache.sets or hw.cache.ways',
  keys: () => 'fewer KeyIDs or --packages',
  regions: () => 'a larger region, or a smaller --footprint',
  rekey: () => 'less weight to rekey',
  memory: () => 'a larger --max-memory',
  host: ({ workers }) => (workers > 1 ? '--workers 1' : 'a higher limit (ulimit -v)'),
};

/** One line. */
export function stopMessage(job: Job, stop: Stop): string {
  if (stop.reason === 'interrupted') return `interrupted by ${stop.signal}`;
  const { facts, shards } = stop;
  const others = shards.length > 1 ? `, and ${counted(shards.length - 1, 'shard')} more` : '';
  const useful = facts.remedies.filter((remedy) => remedy !== 'memory' || job.maxMemoryBytes < WASM_LIMIT);
  const advice = useful.map((remedy) => REMEDIES[remedy](job, facts));
  return `${facts.summary}${others}: ${facts.shortage === 'host' ? 'try' : 'give'} ${advice.join('; or ')}`;
}

/** The limit as `--max-memory` takes it. */
export const memoryLimit = ({ maxMemoryBytes }: Job): string =>
  maxMemoryBytes === WASM_LIMIT ? '4GiB' : typable(maxMemoryBytes);
