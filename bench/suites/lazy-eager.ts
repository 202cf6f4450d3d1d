/** Lazy against eager crypto where 0.1 % of the lines are observed across keys, with the same answers. */
import { type Bench, expectEqual, type Measurement, type Params } from '../harness/bench.ts';
import { COLUMNS, onOff } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { type Side, speedup } from '../harness/timing.ts';
import { type CreateMix, lineMix, type Mix, rangeMix, STRESS_MIX, stressMix } from './observed-mixes.ts';

const OBSERVED_PERCENT = 0.1;
const TOLERANCE = 0.2;
/** An observed line is encrypted under its own key and decrypted under the reader's. */
const BLOCKS_AN_OBSERVATION = 8;
const WARM_UP_SLICES = 4;

/** Both engines run as many slices; `prepare` keeps a timed call a single one. */
function sideOf(mix: Mix): Side {
  return { prepare: () => {}, run: () => mix.slice() };
}

/** In percent of the lines touched; the lazy engine makes no other block real. */
function observedPercent(lazy: Mix): number {
  const observed = (100 * lazy.cryptoBlocks()) / BLOCKS_AN_OBSERVATION / lazy.lines();
  const isAsSaid = Math.abs(observed / OBSERVED_PERCENT - 1) <= TOLERANCE;
  expectEqual(`observed ${observed} %, about ${OBSERVED_PERCENT} %`, isAsSaid, true);
  return observed;
}

function measure(create: CreateMix, provenance: boolean, protocol: Protocol): Measurement {
  const lazy = create('lazy', provenance, protocol.seed);
  const eager = create('eager', provenance, protocol.seed);
  for (let i = 0; i < WARM_UP_SLICES; i++) for (const mix of [lazy, eager]) mix.slice();
  const { headline, beside } = speedup(sideOf(lazy), sideOf(eager), protocol);
  expectEqual('lines touched', lazy.lines(), eager.lines());
  expectEqual('digest of the lazy answers', lazy.digest(), eager.digest());
  const observed = { unit: '%', better: 'smaller', exact: true, samples: [observedPercent(lazy)] } as const;
  return { headline, beside: { ...beside, observed } };
}

interface Row {
  readonly name: string;
  readonly params: Params;
  readonly target: string | null;
  readonly create: CreateMix;
}

const WEIGHTS = Object.entries(STRESS_MIX)
  .map(([operation, weight]) => `${operation} ${weight}`)
  .join(', ');

const ROWS: readonly Row[] = [
  {
    name: 'crypto/lazy-against-eager',
    params: { stress: WEIGHTS, footprint: '1 MiB' },
    target: '≥ 100 ×',
    create: stressMix,
  },
  {
    name: 'crypto/lazy-against-eager-ranges',
    params: { mix: '64 KiB pieces, written and read twice' },
    target: null,
    create: rangeMix,
  },
  { name: 'crypto/lazy-against-eager-lines', params: { mix: 'single lines from JavaScript' }, target: null, create: lineMix },
];

export const lazyEager: readonly Bench[] = ROWS.flatMap(({ name, params, target, create }) =>
  COLUMNS.map((provenance) => ({
    name,
    params: { ...params, provenance: onOff(provenance) },
    target,
    run: (protocol: Protocol) => measure(create, provenance, protocol),
  })),
);
