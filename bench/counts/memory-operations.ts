/** Verbs on lines and ranges, each in a loop on a machine of its own. */
import type { CoreConfig, MemoryCore } from '../../bindings/index.ts';
import { EVENT, KEY, machine, OTHER_KEY, own, PACKAGE } from '../harness/machine.ts';
import { GIB, LINE, MIB, PAGE, scramble, shuffled, TIB } from '../harness/workload.ts';
import { COUNTED, type HotOperation } from './hot-operation.ts';

const PA = GIB;
/** After one round of as many operations as are counted every line has been touched. */
const LINES = COUNTED;
const RANGE = 64 * 1024;
const DIRTY_PAGES = 16;

/** `i` counts from 0. */
type OnLine = (core: MemoryCore, pa: number, i: number) => void;

const ADDRESSES = Float64Array.from(shuffled(LINES, 1), (line) => PA + line * LINE);

interface LineSetting {
  readonly changes?: Partial<CoreConfig>;
  readonly operations?: number;
  prepare?(core: MemoryCore): void;
}

/** On lines of a populated 64 KiB, in a seeded order. */
function onLines(name: string, one: OnLine, setting: LineSetting = {}): HotOperation {
  return {
    name,
    operations: setting.operations ?? 10_000,
    start: () => {
      const core = populated(setting.changes ?? {});
      setting.prepare?.(core);
      let done = 0;
      return {
        counters: () => core.counters(),
        run: (count) => {
          for (let i = 0; i < count; i++) {
            one(core, ADDRESSES[done % LINES]!, done);
            done += 1;
          }
        },
      };
    },
  };
}

function populated(changes: Partial<CoreConfig>): MemoryCore {
  const core = machine(changes);
  own(core, PA, MIB);
  core.write(PACKAGE, PA, KEY, scramble(new Uint8Array(LINES * LINE), 1));
  for (let pkg = 0; pkg < core.config.packages; pkg++) core.wbinvd(pkg);
  return core;
}

/** Every other line is written as another event or through another KeyID: a page then has a tag and a writer for each line. */
function mixPages(core: MemoryCore, keyId: number): void {
  core.setEvent(EVENT + 1);
  for (let line = 1; line < LINES; line += 2) core.movdir64b(PACKAGE, PA + line * LINE, keyId);
}

const keyIdOfMixed = (pa: number): number => (pa % (2 * LINE) === 0 ? KEY : OTHER_KEY);

/** A verb on 64 KiB: an operation is one call. */
function onRange(
  name: string,
  one: (core: MemoryCore, bytes: Uint8Array) => void,
  prepare?: (core: MemoryCore) => void,
): HotOperation {
  return {
    name,
    operations: 100,
    start: () => {
      const core = populated({});
      const bytes = scramble(new Uint8Array(RANGE), 2);
      core.read(PACKAGE, PA, KEY, new Uint8Array(RANGE));
      prepare?.(core);
      return {
        counters: () => core.counters(),
        run: (count) => {
          for (let i = 0; i < count; i++) one(core, bytes);
        },
      };
    },
  };
}

function repeated(name: string, operations: number, one: (core: MemoryCore, i: number) => void): HotOperation {
  return {
    name,
    operations,
    start: () => {
      const core = populated({});
      let done = 0;
      return {
        counters: () => core.counters(),
        run: (count) => {
          for (let i = 0; i < count; i++) one(core, done++);
        },
      };
    },
  };
}

export const MEMORY_OPERATIONS: readonly HotOperation[] = [
  onLines('line/movdir64b', (core, pa) => core.movdir64b(PACKAGE, pa, KEY)),
  onLines('line/movdir64b provenance off', (core, pa) => core.movdir64b(PACKAGE, pa, KEY), {
    changes: { provenance: false },
  }),
  onLines('line/movdir64b, a new event a call', (core, pa, i) => {
    core.setEvent(i);
    core.movdir64b(PACKAGE, pa, KEY);
  }),
  onLines('line/dma-read', (core, pa) => void core.dmaRead(pa, LINE, KEY)),
  onLines('line/dma-read of mixed pages', (core, pa) => void core.dmaRead(pa, LINE, keyIdOfMixed(pa)), {
    prepare: (core) => mixPages(core, OTHER_KEY),
  }),
  onLines('line/check', (core, pa) => void core.check(pa, LINE, KEY)),
  onLines('line/store', (core, pa) => void core.store(PACKAGE, pa, LINE, KEY)),
  onLines('line/load', (core, pa) => void core.load(PACKAGE, pa, LINE, KEY)),
  onLines(
    'line/store, clflush',
    (core, pa) => {
      core.store(PACKAGE, pa, LINE, KEY);
      core.clflush(pa, 1, KEY);
    },
    { operations: 2000 },
  ),
  onLines('line/load, 1024 sets of 16 ways', (core, pa) => void core.load(PACKAGE, pa, LINE, KEY), {
    changes: { cacheSets: 1024, cacheWays: 16, cachePolicy: 'lru' },
  }),
  onLines('line/movdir64b eager', (core, pa) => core.movdir64b(PACKAGE, pa, KEY), {
    changes: { crypto: 'eager' },
    operations: 1000,
  }),
  onRange('range/write 64 KiB', (core, bytes) => core.write(PACKAGE, PA, KEY, bytes)),
  onRange('range/read 64 KiB', (core, bytes) => core.read(PACKAGE, PA, KEY, bytes)),
  onRange('range/direct-write 64 KiB', (core, bytes) => core.directWrite('movdir64b', PACKAGE, PA, KEY, bytes)),
  onRange('range/dma-read 64 KiB', (core, bytes) => core.dmaReadInto(PA, KEY, bytes)),
  onRange(
    'range/dma-read 64 KiB of mixed pages',
    (core, bytes) => core.dmaReadInto(PA, KEY, bytes),
    (core) => mixPages(core, KEY),
  ),
  repeated('wbinvd/16 dirty lines in 16 pages', 100, (core) => {
    for (let page = 0; page < DIRTY_PAGES; page++) core.store(PACKAGE, PA + page * PAGE, LINE, KEY);
    core.wbinvd(PACKAGE);
  }),
  repeated('movdir64b/clear uniform 1 TiB', 2000, (core, i) =>
    core.movdir64bFill(PACKAGE, TIB, TIB / LINE, i % 2 === 0 ? KEY : OTHER_KEY, 0n),
  ),
  repeated('rekey', 100, (core) => core.programKey(PACKAGE, OTHER_KEY, 'random')),
];
