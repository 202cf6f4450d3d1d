/** The bench's plain TypeScript walk is the same walk: it agrees with the core on random tables. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeptWalker } from '../../bench/peers/sept-walk.ts';
import { createCore } from '../../bindings/index.ts';
import { CONFIG, PRIVATE } from '../core/shared/engine.ts';
import {
  FIRST_TABLE,
  FREE,
  own,
  prepare,
  programs,
  ROOTS,
  type Step,
  setRoot,
  TABLES,
  tableAt,
} from '../core/wasm/sept-space.ts';

const ADDRESS_BITS = 46;
const BYTES = FIRST_TABLE + TABLES * 4096;
const memory = new BigUint64Array(BYTES / 8);
const TAG = 1;

function run(steps: readonly Step[]): number {
  const core = createCore({ ...CONFIG, maxPhysAddrBits: ADDRESS_BITS });
  const set = (table: number, index: number, entry: bigint): void => {
    memory[tableAt(table) / 8 + index] = entry;
    core.fill(0, tableAt(table) + index * 8, 8, PRIVATE, entry);
  };
  own(core, PRIVATE);
  memory.fill(FREE, FIRST_TABLE / 8);
  prepare(set);
  setRoot(core, 0, ROOTS[0]!, PRIVATE);
  const words = new Uint32Array(memory.buffer);
  const peer = new SeptWalker({ words, tags: new Uint32Array(BYTES / 64).fill(TAG) }, TAG, tableAt(ROOTS[0]!), ADDRESS_BITS);
  let mapped = 0;
  for (const step of steps) {
    if (step.kind === 'set') set(step.table, step.index, step.entry);
    if (step.kind === 'invept') {
      core.invept(0);
      peer.invept();
    }
    if (step.kind !== 'walk') continue;
    for (const gpa of step.gpas) {
      const status = core.septWalk(0, 0, 0, gpa, step.write);
      expect([peer.walk(gpa, step.write), peer.level]).toEqual([status, core.walkLevel]);
      if (status !== 0) continue;
      expect(peer.hpa).toBe(core.walkHpa);
      mapped += 1;
    }
  }
  return mapped;
}

describe('bench/peers/sept-walk.ts', () => {
  it('walks as the core does, stale entries and read-only pages included', () => {
    let mapped = 0;
    fc.assert(
      fc.property(programs, (steps) => {
        mapped += run(steps);
      }),
      { numRuns: 200, seed: 7 },
    );
    expect(mapped).toBeGreaterThan(1000);
  });
});
