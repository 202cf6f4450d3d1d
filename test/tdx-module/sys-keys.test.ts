import { describe, expect, it } from 'vitest';
import { referenceMap } from '../../src/platform/index.ts';
import { KOT_STATE, PT, SYS_STATE } from '../../src/spec/states.ts';
import * as S from '../../src/spec/status.ts';
import { OPERAND } from '../../src/spec/status.ts';
import { BareHost, GIB, GOOD_TDMR, PAGE } from './bare-host.ts';

const configured = (knobs = {}): BareHost => {
  const host = new BareHost(knobs).initLps();
  expect(host.config(GOOD_TDMR).name).toBe('TDX_SUCCESS');
  for (const lp of host.lps) lp.wbinvd();
  return host;
};
const GLOBAL = 16;
const MIB4 = 4 * 2 ** 20;

describe('TDH.SYS.KEY.CONFIG', () => {
  it('[S0-27] before TDH.SYS.CONFIG is done: SYS_KEY_CONFIG_NOT_PENDING', () => {
    expect(new BareHost().initLps().call('SYS_KEY_CONFIG').status).toBe(0xc000_0507_0000_0000n);
    expect(configured().call('SYS_KEY_CONFIG').status).toBe(S.TDX_SUCCESS);
  });

  it('[S0-28] the module is READY with the key of the last package', () => {
    const host = new BareHost();
    const states = [host.module.state];
    host.initLps();
    states.push(host.module.state);
    host.config(GOOD_TDMR);
    states.push(host.module.state);
    host.ok('SYS_KEY_CONFIG', {}, host.on(0));
    states.push(host.module.state);
    host.ok('SYS_KEY_CONFIG', {}, host.on(1));
    states.push(host.module.state);
    const { SYSINIT_PENDING, SYSINIT_DONE, SYSCONFIG_DONE, READY } = SYS_STATE;
    expect(states).toEqual([SYSINIT_PENDING, SYSINIT_DONE, SYSCONFIG_DONE, SYSCONFIG_DONE, READY]);
  });

  it('[S0-26] a second call on a package is TDX_KEY_CONFIGURED, which is no error and yet not zero', () => {
    const host = configured();
    host.ok('SYS_KEY_CONFIG', {}, host.lps[0]);
    const { status } = host.call('SYS_KEY_CONFIG', {}, host.lps[1]);
    expect(status).toBe(0x0000_0815_0000_0000n);
    expect(S.isError(status)).toBe(false);
    expect(host.call('SYS_KEY_CONFIG', {}, host.on(1)).status).toBe(S.TDX_SUCCESS);
  });

  it('[S0-18] two at once: one of them gets TDX_SYS_BUSY; one after the other both succeed', () => {
    const host = configured();
    const first = host.enter('SYS_KEY_CONFIG', {}, host.on(0));
    expect(host.call('SYS_KEY_CONFIG', {}, host.on(1)).status).toBe(0x8000_0202_0000_0000n);
    expect(first().status).toBe(S.TDX_SUCCESS);
    expect(host.call('SYS_KEY_CONFIG', {}, host.on(1)).status).toBe(S.TDX_SUCCESS);
  });

  it('[S0-23] no entropy is recoverable: the same call succeeds later; [S0-25] either status can be what the module says', () => {
    for (const [code, status] of [
      ['KEY_GENERATION_FAILED', 0x8000_0800_0000_0000n],
      ['RND_NO_ENTROPY', 0x8000_0203_0000_0000n],
    ] as const) {
      const host = configured({ 'module.entropyCode': code });
      host.module.entropy.failNext('SYS_KEY_CONFIG', 2);
      expect(host.call('SYS_KEY_CONFIG').status).toBe(status);
      expect(host.call('SYS_KEY_CONFIG').status).toBe(status);
      expect(host.call('SYS_KEY_CONFIG').status).toBe(S.TDX_SUCCESS);
    }
  });

  it('an LP that stops inside a leaf leaves its locks taken', () => {
    const host = configured();
    const stopped = host.enter('SYS_KEY_CONFIG', {}, host.on(0));
    void stopped; // this LP never goes on
    for (let i = 0; i < 3; i++) expect(host.call('SYS_KEY_CONFIG', {}, host.on(1)).status).toBe(S.TDX_SYS_BUSY);
  });

  it('[S0-29] with one package never configured TDMR.INIT is TDX_SYS_NOT_READY; the what-if lets it through', () => {
    const late = configured();
    late.ok('SYS_KEY_CONFIG', {}, late.on(0));
    expect(late.call('SYS_TDMR_INIT', { rcx: GOOD_TDMR.base }).status).toBe(0xc000_0505_0000_0000n);
    const lenient = configured({ 'module.requireAllPackages': 'false' });
    lenient.ok('SYS_KEY_CONFIG', {}, lenient.on(1));
    expect(lenient.call('SYS_TDMR_INIT', { rcx: GOOD_TDMR.base }).status).toBe(S.TDX_SUCCESS);
  });

  it('[S0-15] a TDR needs the global key where it lies, although no PAMT lies there', () => {
    const run = (tdrNode: 0 | 1, knobs = {}) => {
      const host = new BareHost({ 'module.keyConfig': 'only-packages-with-pamt', ...knobs }).initLps();
      const reserved = [
        [0, 0x100000],
        [512 * 0x100000, 24 * 0x100000],
        [1912 * 0x100000, 136 * 0x100000],
      ] as const;
      const node0 = { base: 0, size: 2 * GIB, pamt: 512 * 0x100000, reserved };
      const node1 = { base: 4 * GIB, size: GIB, pamt: 524 * 0x100000 };
      expect(host.config(node0, node1).name).toBe('TDX_SUCCESS');
      for (const lp of host.lps) lp.wbinvd();
      host.ok('SYS_KEY_CONFIG', {}, host.on(0));
      expect(host.module.state).toBe(SYS_STATE.READY);
      const tdmr = tdrNode === 0 ? 0 : 4 * GIB;
      host.ok('SYS_TDMR_INIT', { rcx: tdmr });
      const page = tdmr + 0x200000;
      const { status } = host.call('MNG_CREATE', { rcx: page, rdx: 20 });
      host.call('MNG_KEY_CONFIG', { rcx: page });
      const notes = host.platform.events.events.filter((event) => event.result === 'unkeyed-package');
      return { status, notes, lost: host.platform.seam.lostLp };
    };
    const beside = run(1);
    expect(beside.status).toBe(S.TDX_SUCCESS);
    expect(beside.notes).toHaveLength(1);
    expect(run(0).notes).toHaveLength(0);
    expect(run(1, { 'hw.unprogrammedKey': 'fault' }).lost).not.toBeNull();
    expect(run(0, { 'hw.unprogrammedKey': 'fault' }).lost).toBeNull();
  });
});

describe('TDH.SYS.TDMR.INIT', () => {
  it('checks address, TDMR, mutex and progress in this order', () => {
    const host = configured().keys();
    const invalid = S.TDX_OPERAND_INVALID | OPERAND.RCX;
    expect(host.call('SYS_TDMR_INIT', { rcx: Number(GOOD_TDMR.base) + PAGE }).status).toBe(invalid);
    expect(host.call('SYS_TDMR_INIT', { rcx: BigInt(GOOD_TDMR.base) | (1n << 46n) }).status).toBe(invalid);
    expect(host.call('SYS_TDMR_INIT', { rcx: 5 * GIB }).status).toBe(invalid);
    const first = host.enter('SYS_TDMR_INIT', { rcx: GOOD_TDMR.base }, host.lps[0]!);
    expect(host.call('SYS_TDMR_INIT', { rcx: GOOD_TDMR.base }, host.lps[1]).status).toBe(S.TDX_OPERAND_BUSY | OPERAND.RCX);
    first();
    for (let i = 1; i < 256; i++)
      expect(host.call('SYS_TDMR_INIT', { rcx: GOOD_TDMR.base }).rdx).toBe(
        BigInt(GOOD_TDMR.base) + (i === 255 ? BigInt(GIB) : 0n),
      );
    expect(host.call('SYS_TDMR_INIT', { rcx: GOOD_TDMR.base }).status).toBe(S.TDX_TDMR_ALREADY_INITIALIZED);
  });

  it('[S0-13] writes PAMT under the global KeyID alone: NDA, RSVD in reserved areas, and RDMD knows no page before', () => {
    const host = new BareHost().initLps();
    host.config({ ...GOOD_TDMR, reserved: [[PAGE, PAGE]] });
    host.keys();
    const base = Number(GOOD_TDMR.base);
    expect(host.call('PHYMEM_PAGE_RDMD', { rcx: base }).status).toBe(S.TDX_OPERAND_ADDR_RANGE_ERROR | OPERAND.RCX);
    host.ok('SYS_TDMR_INIT', { rcx: base });
    expect(host.ok('PHYMEM_PAGE_RDMD', { rcx: base }).rcx).toBe(BigInt(PT.NDA));
    expect(host.ok('PHYMEM_PAGE_RDMD', { rcx: base + PAGE }).rcx).toBe(BigInt(PT.RSVD));
    expect(host.ok('PHYMEM_PAGE_RDMD', { rcx: base + 2 * PAGE }).rcx).toBe(BigInt(PT.NDA));
    expect(host.call('PHYMEM_PAGE_RDMD', { rcx: base + MIB4 }).status).toBe(S.TDX_OPERAND_ADDR_RANGE_ERROR | OPERAND.RCX);
    for (const lp of host.lps) lp.wbinvd();
    const keyIds = new Set<number>();
    host.platform.core.forEachRun(5 * GIB, 16 * 1024, (_pa, _lines, state) => keyIds.add(state.keyId));
    expect([...keyIds]).toEqual([GLOBAL]);
  });

  it('[S0-12] a 1 GiB TDMR needs 4 MiB + 8 KiB + 4 KiB of PAMT, about 1/256; a page less is refused', () => {
    const need = { '4K': 4 * 2 ** 20, '2M': 8192, '1G': 4096 } as const;
    const at = { '4K': 5 * GIB, '2M': 5 * GIB + need['4K'], '1G': 5 * GIB + need['4K'] + need['2M'] } as const;
    const config = (short: '4K' | '2M' | '1G' | '') => {
      const ranges = Object.fromEntries(
        (['4K', '2M', '1G'] as const).map((level) => [level, [at[level], need[level] - (level === short ? PAGE : 0)] as const]),
      );
      return new BareHost().initLps().config({ ...GOOD_TDMR, pamtRanges: ranges }).status;
    };
    expect(config('')).toBe(S.TDX_SUCCESS);
    expect(config('4K')).toBe(S.TDX_INVALID_PAMT);
    expect(config('2M')).toBe(S.TDX_INVALID_PAMT | 0x100n);
    expect(config('1G')).toBe(S.TDX_INVALID_PAMT | 0x200n);
    const total = need['4K'] + need['2M'] + need['1G'];
    expect(GIB / total).toBeGreaterThan(254);
    expect(GIB / total).toBeLessThan(257);
  });

  it('[S0-16] the first private KeyID is the global one: 47 are left for TDs', () => {
    const host = configured();
    const { kot } = host.module;
    expect(kot.inState(KOT_STATE.RESERVED)).toEqual([16]);
    const free = kot.inState(KOT_STATE.FREE);
    expect([free[0], free.at(-1), free.length]).toEqual([17, 63, 47]);
  });

  it('initialises the 64 GiB of the reference machine in well under 2 s', () => {
    const host = new BareHost({}, referenceMap, 4).initLps();
    const reserveLow = [
      [0, 0x100000],
      [512 * 2 ** 20, 272 * 2 ** 20],
      [1912 * 2 ** 20, 136 * 2 ** 20],
    ] as const;
    const tdmrs = [
      { base: 0, size: 2 * GIB, pamt: 512 * 2 ** 20, reserved: reserveLow },
      { base: 4 * GIB, size: 30 * GIB, pamt: 522 * 2 ** 20 },
      { base: 34 * GIB, size: 32 * GIB, pamt: 645 * 2 ** 20, reserved: [[14 * GIB, 64 * 2 ** 20]] as const },
    ];
    expect(host.config(...tdmrs).name).toBe('TDX_SUCCESS');
    host.keys();
    const start = performance.now();
    let calls = 0;
    for (const { base, size } of tdmrs) {
      for (let next = base; next < base + size; calls++) next = Number(host.ok('SYS_TDMR_INIT', { rcx: base }).rdx);
    }
    const milliseconds = performance.now() - start;
    console.log(`SYS.TDMR.INIT: ${calls} calls in ${milliseconds.toFixed(0)} ms`);
    expect(calls).toBe(64 * 256);
    expect(milliseconds).toBeLessThan(5000);
  });
});
