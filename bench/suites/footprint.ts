/** Host memory a simulated byte costs: counted, not timed. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectEqual } from '../harness/bench.ts';
import { COLUMNS, KEY, machine, OTHER_KEY, onOff, own, PACKAGE } from '../harness/machine.ts';
import { GIB, LINE, PAGE, random } from '../harness/workload.ts';

const PA = GIB;
const PAGES = 8192;
const LINES_PER_PAGE = PAGE / LINE;

/** Writes one line nobody else holds: a pattern would make a page uniform. */
type WriteLine = (core: MemoryCore, pa: number, keyId: number, value: number) => void;

const direct: WriteLine = (core, pa, keyId, value) => {
  core.mailbox.u32[3] = value;
  core.movdir64b(PACKAGE, pa, keyId);
};
const cached: WriteLine = (core, pa, keyId, value) => {
  core.mailbox.u32[3] = value;
  core.store(PACKAGE, pa, LINE, keyId);
};

interface Filling {
  readonly name: string;
  readonly path: string;
  readonly targets: Readonly<Record<'on' | 'off', string | null>>;
  /** What the difference of memory use is divided by. */
  readonly divisor: number;
  readonly unit: string;
  readonly lines: number;
  /** A cached store needs memory that is the KeyID's already: uniform, before anything is counted. */
  readonly owned?: boolean;
  fill(core: MemoryCore, next: () => number): void;
}

function everyLine(core: MemoryCore, next: () => number, keyIdOf: (line: number) => number): void {
  for (let line = 0; line < PAGES * LINES_PER_PAGE; line++) direct(core, PA + line * LINE, keyIdOf(line), next());
}

function oneLineAPage(core: MemoryCore, next: () => number, write: WriteLine): void {
  for (let page = 0; page < PAGES; page++) {
    write(core, PA + page * PAGE + (next() % LINES_PER_PAGE) * LINE, KEY, next());
  }
}

const BYTE = { divisor: PAGES * PAGE, unit: '×', lines: PAGES * LINES_PER_PAGE };
const LINE_ONLY = { divisor: PAGES, unit: 'B', lines: PAGES, targets: { on: '≤ 512 B', off: '≤ 512 B' } };

const FILLINGS: readonly Filling[] = [
  {
    ...BYTE,
    name: 'footprint/dense-one-tag',
    path: 'memory',
    targets: { on: '≤ 1.01 ×', off: '≤ 1.01 ×' },
    fill: (core, next) => everyLine(core, next, () => KEY),
  },
  {
    ...BYTE,
    name: 'footprint/fully-mixed',
    path: 'memory',
    targets: { on: null, off: '≤ 1.07 ×' },
    fill: (core, next) => everyLine(core, next, (line) => (line % 2 === 0 ? KEY : OTHER_KEY)),
  },
  { ...LINE_ONLY, name: 'footprint/line-in-a-page', path: 'memory', fill: (core, next) => oneLineAPage(core, next, direct) },
  {
    ...LINE_ONLY,
    name: 'footprint/line-in-a-page',
    path: 'cached',
    owned: true,
    lines: PAGES * LINES_PER_PAGE,
    fill: (core, next) => oneLineAPage(core, next, cached),
  },
];

/** The lines are really there: as many as were written, and none is uniform with its neighbours by content. */
function expectFilled(core: MemoryCore, lines: number): void {
  core.wbinvd(PACKAGE);
  let found = 0;
  core.forEachRun(PA, PAGES * PAGE, (_, count) => {
    found += count;
  });
  expectEqual('lines with TD bit 1', found, lines);
}

export const footprint: readonly Bench[] = FILLINGS.flatMap((filling) =>
  COLUMNS.map((provenance) => ({
    name: filling.name,
    params: { path: filling.path, provenance: onOff(provenance) },
    target: filling.targets[onOff(provenance)],
    run: (protocol) => {
      const core = machine({ provenance });
      if (filling.owned) own(core, PA, PAGES * PAGE);
      const before = core.memoryUsed();
      filling.fill(core, random(protocol.seed));
      const used = (core.memoryUsed() - before) / filling.divisor;
      expectFilled(core, filling.lines);
      return { headline: { unit: filling.unit, better: 'smaller', exact: true, samples: [used] } };
    },
  })),
);
