import { beforeAll, describe, expect, it } from 'vitest';
import { ATTRIBUTES } from '../../src/spec/layouts.ts';
import { SEPT_STATE, type SeptStateName } from '../../src/spec/sept.ts';
import {
  OPERAND,
  TDX_EPT_ENTRY_NOT_PRESENT,
  TDX_EPT_ENTRY_STATE_INCORRECT,
  TDX_GPA_RANGE_ALREADY_BLOCKED,
} from '../../src/spec/status.ts';
import { inState, leafEntry } from '../../src/tdx-module/sept/entry.ts';
import { ModuleHost, type TdhName, TestTd } from './harness.ts';

/** layouts.md §9, "which leaf accepts which state", states by index; and the level at which the leaf is asked here. */
const TABLE: readonly (readonly [TdhName, number, string])[] = [
  ['MEM_PAGE_ADD', 0, 'Y...............'],
  ['MEM_SEPT_ADD', 1, 'Y.Y.............'],
  ['MEM_PAGE_RELOCATE', 0, '....YYYYYYYYYYYY'],
  ['MEM_PAGE_AUG', 0, 'YY..............'],
  ['MEM_RANGE_BLOCK', 0, '..Y.Y.Y...Y.Y...'],
  ['MEM_RD', 0, '....Y.YYYY......'],
  ['MEM_WR', 0, '....Y...Y.......'],
  ['MEM_PAGE_DEMOTE', 1, '....YY....YY....'],
  ['MR_EXTEND', 0, '....Y...........'],
  ['MEM_PAGE_PROMOTE', 1, '..YY............'],
  ['MEM_SEPT_RD', 0, 'YYYYYYYYYYYYYYYY'],
  ['MEM_PAGE_REMOVE', 0, '....YYY...YYY...'],
  ['MEM_SEPT_REMOVE', 1, '..YY............'],
  ['MEM_RANGE_UNBLOCK', 0, '...Y.Y.....Y....'],
];
const ALLOW_EXISTING = 1;
const REFUSALS: readonly bigint[] = [
  TDX_EPT_ENTRY_STATE_INCORRECT | OPERAND.RCX,
  TDX_EPT_ENTRY_NOT_PRESENT,
  TDX_EPT_ENTRY_NOT_PRESENT | OPERAND.RCX,
  TDX_GPA_RANGE_ALREADY_BLOCKED | OPERAND.RCX,
];
const names = Object.keys(SEPT_STATE) as SeptStateName[];

describe.each(TABLE)('TDH.%s at level %i', (leaf, level, accepts) => {
  let host: ModuleHost;
  let td: TestTd;
  let page: number;
  beforeAll(() => {
    host = new ModuleHost();
    td = new TestTd(host, { attributes: ATTRIBUTES.DEBUG });
    page = level === 0 ? td.add(0) : host.page(2 ** 21);
  });

  it.each(names.map((name, state) => [name, state, accepts[state] === 'Y' ? 'accepts' : 'refuses'] as const))(
    '%s (%i): %s',
    (_name, state, verdict) => {
      host.poke64(td.entryPa(0, level), td.hkid, inState(leafEntry(page, SEPT_STATE.MAPPED), state));
      const gpa = leaf === 'MEM_RD' || leaf === 'MEM_WR' || leaf === 'MR_EXTEND' ? 0 : level;
      const rdx = leaf === 'MEM_SEPT_ADD' ? td.tdr + ALLOW_EXISTING : td.tdr;
      const { status } = host.call(leaf, { rcx: gpa, rdx, r8: host.page(), r9: 0x100_0000 });
      expect(host.platform.seam.shutdownBy).toBe(null);
      expect(REFUSALS.includes(status)).toBe(verdict === 'refuses');
    },
  );
});
