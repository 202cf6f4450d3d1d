/** The set-associative cache model as an instrument: references a second, 1 MiB of 16 ways, LRU. */
import { createCapacityModel, type ReferenceStream } from '../../bindings/index.ts';
import { PlainCapacity } from '../../test/oracle/capacity.ts';
import { type Bench, expectEqual, type Measurement } from '../harness/bench.ts';
import { CONFIG, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { interleave } from '../harness/timing.ts';
import { MIB } from '../harness/workload.ts';
import { expectAlike } from './cache-oracle.ts';

/** The speed of `Uint8Array.set` on the machine that the targets speak of. */
const REFERENCE_GB_PER_S = 16;
const SETS = 1024;
const WAYS = 16;
const LINES = SETS * WAYS;
const REFERENCES = 1 << 20;

const RANDOM: ReferenceStream = { pattern: 'random', first: 0, lines: 4 * LINES, seed: 5n };

/** A stream long enough that LRU never hits, one that hits by chance, one that always hits. */
const STREAMS: readonly { name: string; target: string; stream: ReferenceStream; hitRate: readonly [number, number] }[] = [
  { name: 'stream', target: '≥ 350 M/s', stream: { pattern: 'sequential', first: 0, lines: 8 * LINES }, hitRate: [0, 0] },
  {
    name: 'random',
    target: '≥ 150 M/s',
    stream: RANDOM,
    hitRate: [0.24, 0.26],
  },
  { name: 'hit', target: '≥ 450 M/s', stream: { pattern: 'sequential', first: 0, lines: LINES }, hitRate: [1, 1] },
];

/** Two and a half times the cache: the second half of it was touched longest ago, whatever was filled first. */
const COMPARED = 2.5 * LINES;

function measure({ stream, hitRate }: (typeof STREAMS)[number], protocol: Protocol): Measurement {
  const config = { ...CONFIG, cacheSets: SETS, cacheWays: WAYS, cachePolicy: 'lru' } as const;
  const model = createCapacityModel(config);
  const [source, copy] = [new Uint8Array(MIB).fill(1), new Uint8Array(MIB)];
  let at = REFERENCES;
  let [hits, misses, evictions] = [0, 0, 0];
  model.run(PACKAGE, stream, REFERENCES);
  const refer = (): void => {
    const counts = model.run(PACKAGE, stream, REFERENCES, at);
    at += REFERENCES;
    hits += counts.hits;
    misses += counts.misses;
    evictions += counts.evictions;
  };
  const [referring, copying] = interleave([{ run: refer }, { run: () => copy.set(source) }], protocol);
  // Full from the first run on: LRU without invalidations evicts at every miss.
  expectEqual('evictions', evictions, misses);
  expectEqual('lines held', model.held(PACKAGE), LINES);
  const rate = hits / (hits + misses);
  expectEqual(`hit rate ${rate} within ${hitRate.join(' … ')}`, rate >= hitRate[0] && rate <= hitRate[1], true);
  expectAlike(createCapacityModel(config), new PlainCapacity(config, PACKAGE), [stream, RANDOM], COMPARED);
  const perSecond = referring!.map((ns) => (REFERENCES / ns) * 1000);
  const setSpeed = copying!.map((ns) => MIB / ns);
  return {
    headline: {
      unit: 'M/s',
      better: 'larger',
      samples: perSecond.map((speed, i) => (speed * REFERENCE_GB_PER_S) / setSpeed[i]!),
    },
    beside: {
      measured: { unit: 'M/s', better: 'larger', samples: perSecond },
      set: { unit: 'GB/s', better: 'larger', samples: setSpeed },
    },
  };
}

export const cacheModel: readonly Bench[] = STREAMS.map((row) => ({
  name: 'cache-model/references',
  params: { stream: row.name, scaled: `to ${REFERENCE_GB_PER_S} GB/s` },
  target: row.target,
  run: (protocol) => measure(row, protocol),
}));
