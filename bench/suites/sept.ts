/** S-EPT walks in one call, over tables in simulated memory under the TD's KeyID. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, CONFIG, KEY, machine, onOff, own, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { nanoseconds, sample, speedup } from '../harness/timing.ts';
import { GIB, PAGE, random } from '../harness/workload.ts';
import { SeptWalker } from '../peers/sept-walk.ts';
import { SeptTables } from './sept-tables.ts';

const LP = 0;
const SLOT = 0;
const LEVELS = 4;
const WALKS = 8192;
export const TABLE_BASE = 4 * GIB;
const LINE_WORDS = 16;

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
    name: 'walk-cold',
    target: '≤ 10 ns',
    gpas: () => Float64Array.from({ length: 256 }, (_, i) => i * SPAN_512_GIB + ((i * 37) % 512) * PAGE),
  },
  {
    // Page after page: every 512th walk needs a new table, all others find it in the paging-structure cache.
    name: 'walk-cached-structures',
    target: '≤ 2.5 ns',
    gpas: () => Float64Array.from({ length: WALKS }, (_, i) => i * PAGE),
  },
  {
    name: 'walk-random',
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
  core.septSetRoot(LP, SLOT, tables.base, KEY, tables.levels);
}

/** What walks batches: the core, or its peer. */
interface Walker {
  invept(): void;
  walkMany(gpas: Float64Array, write: boolean, hpas: Float64Array): number;
}

/** Batches of walks that begin with nothing cached, and their answers. */
class Batches {
  readonly #walker: Walker;
  readonly #tables: SeptTables;
  readonly #gpas: Float64Array;
  readonly #hpas: Float64Array;
  readonly #repeats: number;
  #mapped = 0;

  constructor(walker: Walker, tables: SeptTables, gpas: Float64Array) {
    this.#walker = walker;
    this.#tables = tables;
    this.#gpas = gpas;
    this.#hpas = new Float64Array(gpas.length);
    this.#repeats = Math.ceil(WALKS / gpas.length);
  }

  get walks(): number {
    return this.#repeats * this.#gpas.length;
  }

  run(): void {
    for (let i = 0; i < this.#repeats; i++) {
      this.#walker.invept();
      this.#mapped = this.#walker.walkMany(this.#gpas, false, this.#hpas);
    }
  }

  /** Every answer is what the tables were built to say. */
  check(): void {
    expectEqual('walks that were mapped', this.#mapped, this.#gpas.length);
    this.#gpas.forEach((gpa, i) => {
      expectEqual(`HPA of ${gpa}`, this.#hpas[i], this.#tables.hpaOf(gpa));
    });
  }
}

function coreBatches(gpas: Float64Array, levels: number, provenance: boolean): Batches {
  const tables = SeptTables.mapping(gpas, levels, TABLE_BASE);
  const core = machine({ provenance });
  putTables(core, tables);
  const walker = {
    invept: () => core.invept(LP),
    walkMany: (from: Float64Array, write: boolean, to: Float64Array) => core.septWalkMany(LP, SLOT, PACKAGE, from, write, to),
  };
  expectEqual('status behind the mapped addresses', core.septWalk(LP, SLOT, PACKAGE, tables.unmapped, false), 1);
  return new Batches(walker, tables, gpas);
}

/** The peer's memory holds the tables and nothing else; the KeyID stands for all that a line's owner means. */
function peerBatches(gpas: Float64Array): Batches {
  const tables = SeptTables.mapping(gpas, LEVELS, 0);
  const words = new Uint32Array(tables.bytes.buffer);
  const tags = new Uint32Array(words.length / LINE_WORDS).fill(KEY);
  return new Batches(new SeptWalker({ words, tags }, KEY, tables.base, CONFIG.maxPhysAddrBits), tables, gpas);
}

function measure(walks: Walks, levels: number, provenance: boolean, protocol: Protocol): Measurement {
  const gpas = walks.gpas(protocol.seed);
  const batches = coreBatches(gpas, levels, provenance);
  const samples = sample(batches.walks, () => batches.run(), protocol);
  batches.check();
  return { headline: nanoseconds(samples, 'ns/walk') };
}

function compare(walks: Walks, provenance: boolean, protocol: Protocol): Measurement {
  const gpas = walks.gpas(protocol.seed);
  const [core, peer] = [coreBatches(gpas, LEVELS, provenance), peerBatches(gpas)];
  const result = speedup(core, peer, protocol);
  for (const batches of [core, peer]) batches.check();
  return result;
}

const absolute = WALKS_OF.flatMap((walks) =>
  [LEVELS, LEVELS + 1].flatMap((levels) =>
    COLUMNS.map((provenance) => ({
      name: `sept/${walks.name}`,
      params: { levels, provenance: onOff(provenance) },
      target: walks.target,
      run: (protocol: Protocol) => measure(walks, levels, provenance, protocol),
    })),
  ),
);

const againstTypeScript = WALKS_OF.flatMap((walks) =>
  COLUMNS.map((provenance) => ({
    name: 'sept/against-typescript',
    params: { walks: walks.name, provenance: onOff(provenance) },
    target: '≥ 50 ×',
    run: (protocol: Protocol) => compare(walks, provenance, protocol),
  })),
);

export const sept: readonly Bench[] = [...absolute, ...againstTypeScript];
