/** Range write and range read+check against `Uint8Array.set` of the same bytes. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectBytes, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, expectMemory, KEY, machine, onOff, own, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { type Side, speedup } from '../harness/timing.ts';
import { GIB, MIB, scramble, sizeName } from '../harness/workload.ts';

const PA = GIB;

/** How the bytes go: through the caches of a package, or past them at the memory controller. */
interface Route {
  readonly path: 'cached' | 'memory';
  open(core: MemoryCore): { write(bytes: Uint8Array): number; read(out: Uint8Array): number };
}

const ROUTES: readonly Route[] = [
  {
    path: 'cached',
    open: (core) => ({
      write: (bytes) => core.write(PACKAGE, PA, KEY, bytes),
      read: (out) => core.read(PACKAGE, PA, KEY, out),
    }),
  },
  {
    path: 'memory',
    open: (core) => ({
      write: (bytes) => core.directWrite('movdir64b', PACKAGE, PA, KEY, bytes),
      read: (out) => core.dmaReadInto(PA, KEY, out),
    }),
  },
];

/** Where the program's own bytes lie. */
type Place = 'core' | 'js';

function twoArrays(core: MemoryCore, place: Place, size: number): [() => Uint8Array, () => Uint8Array] {
  if (place === 'js') {
    const arrays = [new Uint8Array(size), new Uint8Array(size)] as const;
    return [() => arrays[0], () => arrays[1]];
  }
  const [a, b] = [core.buffer(size), core.buffer(size)];
  return [() => a.u8, () => b.u8];
}

interface Case {
  readonly size: number;
  readonly place: Place;
  readonly route: Route;
  readonly provenance: boolean;
}

/** Large ranges take long: fewer rounds say the same. */
function roundsFor(size: number, protocol: Protocol): Protocol {
  return size >= 256 * MIB ? { ...protocol, pairs: Math.min(protocol.pairs, 9) } : protocol;
}

function measureWrite({ size, place, route, provenance }: Case, protocol: Protocol): Measurement {
  const core = machine({ provenance });
  own(core, PA, size);
  const [source, copy] = twoArrays(core, place, size);
  const verbs = route.open(core);
  scramble(source(), protocol.seed);
  const subject: Side = { run: () => void verbs.write(source()) };
  const result = speedup(subject, { run: () => copy().set(source()) }, roundsFor(size, protocol));
  scramble(source(), protocol.seed + 1);
  expectEqual('status of the write', verbs.write(source()), 0);
  expectMemory(core, PA, KEY, source);
  return result;
}

function measureRead({ size, place, route, provenance }: Case, protocol: Protocol): Measurement {
  const core = machine({ provenance });
  own(core, PA, size);
  const [source, copy] = twoArrays(core, place, size);
  const verbs = route.open(core);
  verbs.write(scramble(source(), protocol.seed));
  let status = 0;
  const subject: Side = {
    run: () => {
      status |= verbs.read(copy());
    },
  };
  const result = speedup(subject, { run: () => copy().set(source()) }, roundsFor(size, protocol));
  copy().fill(0);
  expectEqual('status of the reads', status | verbs.read(copy()), 0);
  expectBytes('what was read', copy(), source());
  expectMemory(core, PA, KEY, source);
  return result;
}

/** Cached reads that miss: after WBINVD every line comes from the controller and into the cache again. */
function measureMisses(size: number, provenance: boolean, protocol: Protocol): Measurement {
  const core = machine({ provenance });
  own(core, PA, size);
  const source = scramble(new Uint8Array(size), protocol.seed);
  const out = new Uint8Array(size);
  core.write(PACKAGE, PA, KEY, source);
  const subject: Side = {
    prepare: () => core.wbinvd(PACKAGE),
    run: () => void core.read(PACKAGE, PA, KEY, out),
  };
  const result = speedup(subject, { prepare: () => {}, run: () => out.set(source) }, protocol);
  out.fill(0);
  core.wbinvd(PACKAGE);
  core.read(PACKAGE, PA, KEY, out);
  expectBytes('what was read', out, source);
  expectMemory(core, PA, KEY, () => source);
  return result;
}

const SIZES = [
  { size: MIB, core: '≥ 0.97 ×', js: '≥ 0.90 ×', heavy: false },
  { size: 64 * MIB, core: '≥ 0.95 ×', js: '≥ 0.90 ×', heavy: false },
  { size: 512 * MIB, core: '≥ 0.90 ×', js: '≥ 0.90 ×', heavy: true },
] as const;

const OPERATIONS = [
  { name: 'range/write', measure: measureWrite },
  { name: 'range/read-check', measure: measureRead },
];

const sets: Bench[] = OPERATIONS.flatMap(({ name, measure }) =>
  SIZES.flatMap((row) =>
    (['core', 'js'] as const).flatMap((place) =>
      ROUTES.flatMap((route) =>
        COLUMNS.map((provenance) => ({
          name,
          params: { size: sizeName(row.size), data: place, path: route.path, provenance: onOff(provenance) },
          target: row[place],
          heavy: row.heavy,
          run: (protocol: Protocol) => measure({ size: row.size, place, route, provenance }, protocol),
        })),
      ),
    ),
  ),
);

const misses: Bench[] = COLUMNS.map((provenance) => ({
  name: 'range/read-miss',
  params: { size: sizeName(MIB), data: 'js', path: 'cached', provenance: onOff(provenance) },
  target: null,
  run: (protocol) => measureMisses(MIB, provenance, protocol),
}));

export const range: readonly Bench[] = [...sets, ...misses];
