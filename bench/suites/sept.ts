/** S-EPT walks in one call, over tables in simulated memory under the TD's KeyID. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, KEY, machine, onOff, own, PACKAGE } from '../harness/machine.ts';
import { having } from '../harness/pending.ts';
import type { Protocol } from '../harness/protocol.ts';
import { nanoseconds, sample } from '../harness/timing.ts';
import { GIB, PAGE, random } from '../harness/workload.ts';
import { SeptTables } from './sept-tables.ts';

const LP = 0;
const SLOT = 0;
const LEVELS = 4;
const WALKS = 8192;

interface ManyWalks {
  septWalkMany(lp: number, slot: number, pkg: number, gpas: Float64Array, write: boolean, hpas: Float64Array): number;
}

/** Which GPAs: all of them are mapped. The translation caches are dropped before every batch. */
interface Walks {
  readonly name: string;
  readonly target: string;
  gpas(seed: number): Float64Array;
}

const SPAN_512_GIB = 2 ** 39;

export const WALKS_OF: readonly Walks[] = [
  {
    // Every GPA of a batch goes through three tables of its own: nothing but the root is shared.
    name: 'sept/walk-cold',
    target: '≤ 10 ns',
    gpas: () => Float64Array.from({ length: 256 }, (_, i) => i * SPAN_512_GIB + ((i * 37) % 512) * PAGE),
  },
  {
    // Page after page: every 512th walk needs a new table, all others find it in the paging-structure cache.
    name: 'sept/walk-cached-structures',
    target: '≤ 2.5 ns',
    gpas: () => Float64Array.from({ length: WALKS }, (_, i) => i * PAGE),
  },
  {
    name: 'sept/walk-random',
    target: '≤ 12 ns',
    gpas: (seed) => {
      const next = random(seed);
      return Float64Array.from({ length: WALKS }, () => (next() % ((4 * GIB) / PAGE)) * PAGE);
    },
  },
];

export function putTables(core: MemoryCore, tables: SeptTables): void {
  own(core, tables.base, tables.bytes.length);
  core.directWrite('movdir64b', PACKAGE, tables.base, KEY, tables.bytes);
  core.septSetRoot(LP, SLOT, tables.root, KEY, LEVELS);
}

/** Every answer is what the tables were built to say. */
function expectMapped(tables: SeptTables, gpas: Float64Array, hpas: Float64Array, mapped: number): void {
  expectEqual('walks that were mapped', mapped, gpas.length);
  gpas.forEach((gpa, i) => {
    expectEqual(`HPA of ${gpa}`, hpas[i], tables.hpaOf(gpa));
  });
}

function measure(walks: Walks, provenance: boolean, protocol: Protocol): Measurement {
  const core = having<MemoryCore & ManyWalks>(machine({ provenance }), 'septWalkMany');
  const gpas = walks.gpas(protocol.seed);
  const tables = SeptTables.mapping(gpas);
  putTables(core, tables);
  const hpas = new Float64Array(gpas.length);
  const repeats = Math.ceil(WALKS / gpas.length);
  let mapped = 0;
  const batch = (): void => {
    for (let i = 0; i < repeats; i++) {
      core.invept(LP);
      mapped = core.septWalkMany(LP, SLOT, PACKAGE, gpas, false, hpas);
    }
  };
  const samples = sample(repeats * gpas.length, batch, protocol);
  expectMapped(tables, gpas, hpas, mapped);
  expectEqual('status behind the mapped addresses', core.septWalk(LP, SLOT, PACKAGE, tables.unmapped, false), 1);
  return { headline: nanoseconds(samples, 'ns/walk') };
}

export const sept: readonly Bench[] = WALKS_OF.flatMap((walks) =>
  COLUMNS.map((provenance) => ({
    name: walks.name,
    params: { levels: LEVELS, provenance: onOff(provenance) },
    target: walks.target,
    run: (protocol: Protocol) => measure(walks, provenance, protocol),
  })),
);
