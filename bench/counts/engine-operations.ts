/** The engines that work inside Wasm for as long as they are told: an operation is a reference, a line, a step of a program. */
import { createCapacityModel, type ReferenceStream } from '../../bindings/index.ts';
import { DEFAULT_STRESS_PROGRAM, StressRun } from '../../src/lab/stress/index.ts';
import { CONFIG, PACKAGE } from '../harness/machine.ts';
import { MIB } from '../harness/workload.ts';
import { type Bits, ENGINE_LINES, LineEngine } from '../suites/line-engine.ts';
import { COUNTED, type HotOperation } from './hot-operation.ts';

/** Full after the first round. */
const CACHE_WAYS = 16;
const CACHE_LINES = COUNTED;

function references(name: string, stream: ReferenceStream): HotOperation {
  return {
    name: `cache-model/${name}`,
    operations: 100_000,
    start: () => {
      const geometry = { cacheSets: CACHE_LINES / CACHE_WAYS, cacheWays: CACHE_WAYS, cachePolicy: 'lru' } as const;
      const model = createCapacityModel({ ...CONFIG, ...geometry });
      let at = 0;
      const sum = { hits: 0, misses: 0, evictions: 0 };
      return {
        counters: () => ({ ...sum }),
        run: (count) => {
          const { hits, misses, evictions } = model.run(PACKAGE, stream, count, at);
          at += count;
          sum.hits += hits;
          sum.misses += misses;
          sum.evictions += evictions;
        },
      };
    },
  };
}

function sealing(bits: Bits): HotOperation {
  return {
    name: `crypto/line AES-XTS-${bits}, SHA-3 MAC`,
    operations: 2000,
    start: () => {
      const engine = new LineEngine(bits, 1);
      return {
        // There is no machine around it that would count.
        counters: () => ({}),
        run: (count) => {
          for (let left = count; left > 0; left -= ENGINE_LINES) engine.seal(Math.min(left, ENGINE_LINES));
        },
      };
    },
  };
}

const stress: HotOperation = {
  name: 'stress/default mix, 1 MiB',
  operations: 10_000,
  start: () => {
    const stressing = new StressRun({ ...DEFAULT_STRESS_PROGRAM, footprint: MIB });
    return { counters: () => stressing.result.counters, run: (count) => stressing.run(count) };
  },
};

export const ENGINE_OPERATIONS: readonly HotOperation[] = [
  references('stream', { pattern: 'sequential', first: 0, lines: 8 * CACHE_LINES }),
  references('random', { pattern: 'random', first: 0, lines: 4 * CACHE_LINES, seed: 5n }),
  references('hit', { pattern: 'sequential', first: 0, lines: CACHE_LINES }),
  sealing(128),
  sealing(256),
  stress,
];
