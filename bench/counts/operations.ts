/** The hot operations that are counted: each a loop over one verb, on a machine of its own. */
import type { CoreConfig, MemoryCore } from '../../bindings/index.ts';
import { KEY, machine, OTHER_KEY, own, PACKAGE } from '../harness/machine.ts';
import { GIB, LINE, MIB, PAGE, scramble, shuffled, TIB } from '../harness/workload.ts';

const PA = GIB;
/** As many as are counted: after one round every line has been touched. */
export const LINES = 1024;
const RANGE = 64 * 1024;
const DIRTY_PAGES = 16;

/** `run(n)` does the operation n times more. */
export interface Running {
  readonly core: MemoryCore;
  run(operations: number): void;
}

export interface HotOperation {
  readonly name: string;
  /** Operations of the shorter instruction count; the longer one does four times as many. */
  readonly operations: number;
  start(): Running;
}

type OnLine = (core: MemoryCore, pa: number) => void;

const ADDRESSES = Float64Array.from(shuffled(LINES, 1), (line) => PA + line * LINE);

/** On lines of a populated 64 KiB, in a seeded order. */
function onLines(name: string, one: OnLine, changes: Partial<CoreConfig> = {}, operations = 10_000): HotOperation {
  return {
    name,
    operations,
    start: () => {
      const core = populated(changes);
      let at = 0;
      return {
        core,
        run: (count) => {
          for (let i = 0; i < count; i++) {
            one(core, ADDRESSES[at]!);
            at = (at + 1) % LINES;
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

/** A verb on 64 KiB: an operation is one call. */
function onRange(name: string, one: (core: MemoryCore, bytes: Uint8Array) => void): HotOperation {
  return {
    name,
    operations: 100,
    start: () => {
      const core = populated({});
      const bytes = scramble(new Uint8Array(RANGE), 2);
      core.read(PACKAGE, PA, KEY, new Uint8Array(RANGE));
      return {
        core,
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
        core,
        run: (count) => {
          for (let i = 0; i < count; i++) one(core, done++);
        },
      };
    },
  };
}

export const HOT_OPERATIONS: readonly HotOperation[] = [
  onLines('line/movdir64b', (core, pa) => core.movdir64b(PACKAGE, pa, KEY)),
  onLines('line/movdir64b provenance off', (core, pa) => core.movdir64b(PACKAGE, pa, KEY), { provenance: false }),
  onLines('line/dma-read', (core, pa) => void core.dmaRead(pa, LINE, KEY)),
  onLines('line/check', (core, pa) => void core.check(pa, LINE, KEY)),
  onLines('line/store', (core, pa) => void core.store(PACKAGE, pa, LINE, KEY)),
  onLines('line/load', (core, pa) => void core.load(PACKAGE, pa, LINE, KEY)),
  onLines(
    'line/store, clflush',
    (core, pa) => {
      core.store(PACKAGE, pa, LINE, KEY);
      core.clflush(pa, 1, KEY);
    },
    {},
    2000,
  ),
  onLines('line/load, 1024 sets of 16 ways', (core, pa) => void core.load(PACKAGE, pa, LINE, KEY), {
    cacheSets: 1024,
    cacheWays: 16,
    cachePolicy: 'lru',
  }),
  onLines('line/movdir64b eager', (core, pa) => core.movdir64b(PACKAGE, pa, KEY), { crypto: 'eager' }, 1000),
  onRange('range/write 64 KiB', (core, bytes) => core.write(PACKAGE, PA, KEY, bytes)),
  onRange('range/read 64 KiB', (core, bytes) => core.read(PACKAGE, PA, KEY, bytes)),
  onRange('range/direct-write 64 KiB', (core, bytes) => core.directWrite('movdir64b', PACKAGE, PA, KEY, bytes)),
  onRange('range/dma-read 64 KiB', (core, bytes) => core.dmaReadInto(PA, KEY, bytes)),
  repeated('wbinvd/16 dirty lines in 16 pages', 100, (core) => {
    for (let page = 0; page < DIRTY_PAGES; page++) core.store(PACKAGE, PA + page * PAGE, LINE, KEY);
    core.wbinvd(PACKAGE);
  }),
  repeated('movdir64b/clear uniform 1 TiB', 2000, (core, i) =>
    core.movdir64bFill(PACKAGE, TIB, TIB / LINE, i % 2 === 0 ? KEY : OTHER_KEY, 0n),
  ),
  repeated('rekey', 100, (core) => core.programKey(PACKAGE, OTHER_KEY, 'random')),
];
