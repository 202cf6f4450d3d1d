/** Range check of uniform pages against `Uint8Array.set` of the same bytes. */

import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, KEY, machine, OTHER_KEY, onOff, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { speedup } from '../harness/timing.ts';
import { GIB, LINE, MIB, sizeName } from '../harness/workload.ts';

const PA = GIB;
const PATTERN = 0x0123_4567_89ab_cdefn;

function measure(size: number, provenance: boolean, protocol: Protocol): Measurement {
  const core = machine({ provenance });
  core.movdir64bFill(PACKAGE, PA, size / LINE, KEY, PATTERN);
  const [source, copy] = [new Uint8Array(size).fill(1), new Uint8Array(size)];
  let status = 0;
  const subject = {
    run: () => {
      status |= core.check(PA, size, KEY);
    },
  };
  const result = speedup(subject, { run: () => copy.set(source) }, protocol);
  expectEqual('status of the checks', status, 0);
  expectBadLineFound(core, size);
  return result;
}

/** One bad line anywhere is found, and named; another key is refused. */
function expectBadLineFound(core: MemoryCore, size: number): void {
  const bad = PA + size - 3 * LINE;
  core.flip(bad, 'data', 5);
  expectEqual('status with a flipped bit', core.check(PA, size, KEY), 1);
  expectEqual('line of the flipped bit', core.fault.pa, bad);
  expectEqual('status up to the flipped bit', core.check(PA, bad - PA, KEY), 0);
  expectEqual('status with another key', core.check(PA, size, OTHER_KEY), 1);
  expectEqual('first line refused to another key', core.fault.pa, PA);
}

export const check: readonly Bench[] = [2 * MIB, 64 * MIB].flatMap((size) =>
  COLUMNS.map((provenance) => ({
    name: 'check/uniform',
    params: { size: sizeName(size), provenance: onOff(provenance) },
    target: '≥ 1000 ×',
    run: (protocol: Protocol) => measure(size, provenance, protocol),
  })),
);
