import { describe, expect, it } from 'vitest';
import { KOT_STATE, SYS_STATE } from '../../src/spec/states.ts';
import * as S from '../../src/spec/status.ts';
import { OPERAND } from '../../src/spec/status.ts';
import { BareHost, GIB, GOOD_TDMR, PAGE, type TdmrOptions } from './bare-host.ts';

const LEVEL = { '4K': 0n, '2M': 1n, '1G': 2n } as const;
const detail = (status: bigint, tdmr: number, byte1: bigint | number = 0, byte2 = 0): bigint =>
  status | BigInt(tdmr) | (BigInt(byte1) << 8n) | (BigInt(byte2) << 16n);

/** With two TDMRs: 4..5 GiB, PAMT at 5 GiB of node 1's end, and a second one that differs. */
const PAMT = 5 * GIB;
const second = (change: Partial<TdmrOptions>): TdmrOptions[] => [
  { ...GOOD_TDMR, size: GIB, pamt: 0x100000 * 16, base: 4 * GIB },
  { base: 5 * GIB, size: GIB, pamt: 0x100000 * 32, ...change },
];
const with1 = (change: Partial<TdmrOptions>): TdmrOptions[] => [{ ...GOOD_TDMR, ...change }];

/** TDMR lists that break one rule, in the order of leaf-checks.md §1 step 8. */
const TDMR_CHECKS: readonly (readonly [name: string, tdmrs: readonly TdmrOptions[], status: bigint])[] = [
  ['base + size wraps', with1({ size: 2n ** 64n - BigInt(GIB) }), detail(S.TDX_INVALID_TDMR, 0)],
  ['base below the one before', second({ base: 3 * GIB }), detail(S.TDX_NON_ORDERED_TDMR, 1)],
  ['overlaps the one before', second({ base: 4 * GIB }), detail(S.TDX_NON_ORDERED_TDMR, 1)],
  ['base not 1 GiB aligned', with1({ base: 4 * GIB + PAGE }), detail(S.TDX_INVALID_TDMR, 0)],
  ['size 0', with1({ size: 0 }), detail(S.TDX_INVALID_TDMR, 0)],
  ['KeyID bits in the base', with1({ base: (1n << 46n) | BigInt(4 * GIB) }), detail(S.TDX_INVALID_TDMR, 0)],
  [
    'a reserved area after a null one',
    with1({
      reserved: [
        [0, 0],
        [0, PAGE],
      ],
    }),
    detail(S.TDX_NON_ORDERED_RESERVED_IN_TDMR, 0, 1),
  ],
  [
    'a reserved area that wraps',
    with1({ reserved: [[2n ** 64n - BigInt(PAGE), 2 * PAGE]] }),
    detail(S.TDX_INVALID_RESERVED_IN_TDMR, 0, 0),
  ],
  [
    'reserved areas descending',
    with1({
      reserved: [
        [2 * PAGE, PAGE],
        [0, PAGE],
      ],
    }),
    detail(S.TDX_NON_ORDERED_RESERVED_IN_TDMR, 0, 1),
  ],
  [
    'reserved areas overlapping',
    with1({
      reserved: [
        [0, 2 * PAGE],
        [PAGE, PAGE],
      ],
    }),
    detail(S.TDX_NON_ORDERED_RESERVED_IN_TDMR, 0, 1),
  ],
  ['a reserved area not 4 KiB aligned', with1({ reserved: [[64, PAGE]] }), detail(S.TDX_INVALID_RESERVED_IN_TDMR, 0, 0)],
  [
    'a reserved area that leaves the TDMR',
    with1({ reserved: [[GIB - PAGE, 2 * PAGE]] }),
    detail(S.TDX_INVALID_RESERVED_IN_TDMR, 0, 0),
  ],
  [
    'a PAMT that wraps',
    with1({ pamtRanges: { '1G': [2n ** 64n - BigInt(PAGE), PAGE] } }),
    detail(S.TDX_INVALID_PAMT, 0, LEVEL['1G']),
  ],
  [
    'a PAMT not 4 KiB aligned',
    with1({ pamtRanges: { '2M': [PAMT + 64, 2 * PAGE] } }),
    detail(S.TDX_INVALID_PAMT, 0, LEVEL['2M']),
  ],
  ['a PAMT with KeyID bits', with1({ pamtRanges: { '2M': [1n << 46n, 2 * PAGE] } }), detail(S.TDX_INVALID_PAMT, 0, LEVEL['2M'])],
  ['a PAMT too small', with1({ pamtRanges: { '4K': [PAMT, GIB / 256 - PAGE] } }), detail(S.TDX_INVALID_PAMT, 0, LEVEL['4K'])],
  ['a PAMT over another TDMR’s PAMT', second({ pamt: 0x100000 * 16 }), detail(S.TDX_PAMT_OVERLAP, 1, LEVEL['4K'], 0)],
  ['own PAMTs over each other', with1({ pamtRanges: { '2M': [PAMT, 2 * PAGE] } }), detail(S.TDX_PAMT_OVERLAP, 0, LEVEL['4K'], 0)],
  ['a PAMT in its own TDMR, not reserved', with1({ pamt: 4 * GIB }), detail(S.TDX_PAMT_OVERLAP, 0, LEVEL['4K'], 0)],
  [
    'a PAMT of the one before in this TDMR',
    [
      { ...GOOD_TDMR, pamt: PAMT },
      { base: 5 * GIB, size: GIB, pamt: 0x100000 * 16 },
    ],
    detail(S.TDX_PAMT_OVERLAP, 0, LEVEL['4K'], 1),
  ],
  ['a PAMT outside the CMRs', with1({ pamt: 2 * GIB }), detail(S.TDX_PAMT_OUTSIDE_CMRS, 0, LEVEL['1G'])],
  ['memory outside the CMRs', with1({ base: 2 * GIB }), detail(S.TDX_TDMR_OUTSIDE_CMRS, 0)],
];

const ready = (): BareHost => new BareHost().initLps();

describe('TDH.SYS.CONFIG', () => {
  it('accepts a TDMR, with its PAMT inside a reserved area too', () => {
    expect(ready().config(GOOD_TDMR).name).toBe('TDX_SUCCESS');
    const inside = { ...GOOD_TDMR, pamt: 4 * GIB, reserved: [[0, 8 * 1024 * 1024]] as const };
    expect(ready().config(inside).name).toBe('TDX_SUCCESS');
  });

  it('accepts a TDMR whose memory is not in a CMR where it is reserved', () => {
    const hole = {
      base: 0,
      size: 2 * GIB,
      pamt: 5 * GIB,
      reserved: [
        [0, 0x100000],
        [1912 * 0x100000, 136 * 0x100000],
      ] as const,
    };
    expect(ready().config(hole).name).toBe('TDX_SUCCESS');
  });

  for (const [name, tdmrs, status] of TDMR_CHECKS) {
    it(`${name} → ${S.statusName(status)}`, () => {
      const host = ready();
      expect(host.config(...tdmrs).name).toBe(S.statusName(status));
      expect(host.module.state).toBe(SYS_STATE.SYSINIT_DONE);
    });
  }

  it('sees an error in TDMR 0 before it reads TDMR 1', () => {
    const host = ready();
    const array = host.tdmrArray({ ...GOOD_TDMR, size: 0 });
    expect(host.call('SYS_CONFIG', { rcx: array, rdx: 2, r8: 16 }).status).toBe(S.TDX_INVALID_TDMR);
    const good = host.tdmrArray(GOOD_TDMR);
    new DataView(new ArrayBuffer(8));
    host.lps[0]!.store64(good + 8, 64n);
    expect(host.call('SYS_CONFIG', { rcx: good, rdx: 2, r8: 16 }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RCX);
  });

  it('checks state, LPs, array, count and KeyID in this order', () => {
    const host = new BareHost();
    const array = host.tdmrArray(GOOD_TDMR);
    const bad = { rcx: array + 8, rdx: 65, r8: 15 };
    host.ok('SYS_INIT');
    expect(host.call('SYS_CONFIG', bad).status).toBe(S.TDX_SYS_CONFIG_NOT_PENDING);
    for (const lp of host.lps) host.ok('SYS_LP_INIT', {}, lp);
    expect(host.call('SYS_CONFIG', bad).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RCX);
    expect(host.call('SYS_CONFIG', { ...bad, rcx: array }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RDX);
    expect(host.call('SYS_CONFIG', { ...bad, rcx: array, rdx: 0 }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RDX);
    expect(host.call('SYS_CONFIG', { ...bad, rcx: array, rdx: 1 }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.R8);
    expect(host.call('SYS_CONFIG', { rcx: array, rdx: 1, r8: 16 }).name).toBe('TDX_SUCCESS');
    expect(host.call('SYS_CONFIG', { rcx: array, rdx: 1, r8: 16 }).status).toBe(S.TDX_SYS_CONFIG_NOT_PENDING);
  });

  it('refuses buffers under a private KeyID or inside SEAMRR', () => {
    const host = ready();
    const r8 = 16;
    expect(host.call('SYS_CONFIG', { rcx: (16n << 46n) | 512n, rdx: 1, r8 }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RCX);
    expect(host.call('SYS_CONFIG', { rcx: host.platform.map.seamrr.base, rdx: 1, r8 }).status).toBe(
      S.TDX_OPERAND_INVALID | OPERAND.RCX,
    );
  });

  it('[S0-52] needs LP.INIT on every LP, unless the what-if says otherwise', () => {
    const missing = (knobs = {}) => {
      const host = new BareHost(knobs);
      host.ok('SYS_INIT');
      for (const lp of host.lps.slice(1)) host.ok('SYS_LP_INIT', {}, lp);
      return host.config(GOOD_TDMR).status;
    };
    expect(missing()).toBe(0xc000_050c_0000_0000n);
    expect(missing({ 'module.requireAllLpInit': 'false' })).toBe(S.TDX_SUCCESS);
  });

  it('leaves the KeyID of a failed call RESERVED', () => {
    const host = ready();
    host.call('SYS_CONFIG', { rcx: host.tdmrArray({ ...GOOD_TDMR, size: 0 }), rdx: 1, r8: 20 });
    expect(host.module.kot.at(20).state).toBe(KOT_STATE.RESERVED);
    expect(host.config(GOOD_TDMR).name).toBe('TDX_SUCCESS');
    expect(host.module.kot.at(20).state).toBe(KOT_STATE.RESERVED);
    expect(host.module.globalKeyId).toBe(16);
  });
});
