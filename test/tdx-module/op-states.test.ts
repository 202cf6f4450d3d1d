import { beforeAll, describe, expect, it } from 'vitest';
import { ATTRIBUTES, TDCS } from '../../src/spec/layouts.ts';
import { OP_STATE_NAMES } from '../../src/spec/op-state.ts';
import { TDX_OP_STATE_INCORRECT } from '../../src/spec/status.ts';
import { ModuleHost, type Registers, type TdhName, TestTd } from './harness.ts';

/** lifecycle.md §3; columns are op-states 0 to 10. */
const TABLE: readonly (readonly [TdhName, string, (td: TestTd, vcpu: number) => Registers])[] = [
  ['VP_ENTER', '..YY.....Y.', (_td, vcpu) => ({ rcx: vcpu })],
  ['MEM_PAGE_ADD', '.Y.........', (td) => ({ rcx: 1, rdx: td.tdr })],
  ['MEM_SEPT_ADD', '.YYY..YYYY.', (td) => ({ rcx: 0, rdx: td.tdr })],
  ['VP_ADDCX', '.Y.....Y...', (_td, vcpu) => ({ rcx: 0, rdx: vcpu })],
  ['MEM_PAGE_RELOCATE', '.YYYYY..YY.', (td) => ({ rcx: 1, rdx: td.tdr })],
  ['MEM_PAGE_AUG', '.YYY.....Y.', (td) => ({ rcx: 2, rdx: td.tdr })],
  ['MEM_RANGE_BLOCK', '.YYYYY..YY.', (td) => ({ rcx: 5, rdx: td.tdr })],
  ['VP_CREATE', '.Y.....Y...', (td) => ({ rcx: 1, rdx: td.tdr })],
  ['MEM_RD', '.YYYYYYYYYY', (td) => ({ rcx: 1, rdx: td.tdr })],
  ['MEM_WR', '.YYY..YYYYY', (td) => ({ rcx: 1, rdx: td.tdr })],
  ['MEM_PAGE_DEMOTE', '.YYYYY..YY.', (td) => ({ rcx: 0, rdx: td.tdr })],
  ['MR_EXTEND', '.Y.........', (td) => ({ rcx: 1, rdx: td.tdr })],
  ['MR_FINALIZE', '.Y.........', (td) => ({ rcx: td.tdr })],
  ['VP_INIT', '.Y.........', (_td, vcpu) => ({ rcx: vcpu })],
  ['MEM_PAGE_PROMOTE', '.YYYYY..YY.', (td) => ({ rcx: 0, rdx: td.tdr })],
  ['MEM_SEPT_RD', '.YYYYYYYYYY', (td) => ({ rcx: 5, rdx: td.tdr })],
  ['VP_RD', '.YYYYYYYYYY', (_td, vcpu) => ({ rcx: vcpu, rdx: 1n << 62n })],
  ['MEM_PAGE_REMOVE', '.YYYYY..YYY', (td) => ({ rcx: 3, rdx: td.tdr })],
  ['MEM_SEPT_REMOVE', '.YYYYYYYYYY', (td) => ({ rcx: 0, rdx: td.tdr })],
  ['MEM_TRACK', '.YYYYYYYYY.', (td) => ({ rcx: td.tdr })],
  ['MEM_RANGE_UNBLOCK', '.YYYYY..YY.', (td) => ({ rcx: 5, rdx: td.tdr })],
  ['VP_WR', '.YYY..YYYYY', (_td, vcpu) => ({ rcx: vcpu, rdx: 1n << 62n })],
];

describe.each(TABLE)('TDH.%s by OP_STATE', (leaf, allowed, registers) => {
  let host: ModuleHost;
  let td: TestTd;
  let vcpu: number;
  beforeAll(() => {
    host = new ModuleHost();
    td = new TestTd(host, { attributes: ATTRIBUTES.DEBUG });
    vcpu = td.vcpu(function* () {});
  });

  it.each(OP_STATE_NAMES.map((name, state) => [name, state, allowed[state] === 'Y' ? 'allowed' : 'not allowed'] as const))(
    '%s (%i): %s',
    (_name, state, verdict) => {
      td.pokeTdcs(TDCS.OP_STATE, state);
      const { status } = host.call(leaf, registers(td, vcpu));
      expect(host.platform.seam.shutdownBy).toBe(null);
      expect(status === TDX_OP_STATE_INCORRECT).toBe(verdict === 'not allowed');
    },
  );
});
