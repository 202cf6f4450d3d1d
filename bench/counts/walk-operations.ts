/** S-EPT walks, one a call: the list goes round, and at its start the translation caches are dropped. */
import { machine, PACKAGE } from '../harness/machine.ts';
import { GIB, PAGE, random } from '../harness/workload.ts';
import { putTables, TABLE_BASE } from '../suites/sept.ts';
import { SeptTables } from '../suites/sept-tables.ts';
import { COUNTED, type HotOperation } from './hot-operation.ts';

const LP = 0;
const SLOT = 0;
const LEVELS = 4;
const SPAN_512_GIB = 2 ** 39;

function walks(name: string, gpas: Float64Array): HotOperation {
  return {
    name,
    operations: 10_000,
    start: () => {
      const core = machine();
      const tables = SeptTables.mapping(gpas, LEVELS, TABLE_BASE);
      putTables(core, tables);
      let at = 0;
      return {
        counters: () => core.counters(),
        run: (count) => {
          for (let i = 0; i < count; i++) {
            if (at === 0) core.invept(LP);
            core.septWalk(LP, SLOT, PACKAGE, gpas[at]!, false);
            at = (at + 1) % gpas.length;
          }
        },
      };
    },
  };
}

const next = random(1);

export const WALK_OPERATIONS: readonly HotOperation[] = [
  // Nothing but the root is shared.
  walks(
    'sept/walk cold',
    Float64Array.from({ length: 256 }, (_, i) => i * SPAN_512_GIB + ((i * 37) % 512) * PAGE),
  ),
  walks(
    'sept/walk with cached structures',
    Float64Array.from({ length: COUNTED }, (_, i) => i * PAGE),
  ),
  walks(
    'sept/walk random over 4 GiB',
    Float64Array.from({ length: COUNTED }, () => (next() % ((4 * GIB) / PAGE)) * PAGE),
  ),
];
