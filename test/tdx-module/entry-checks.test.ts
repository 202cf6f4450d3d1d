import { describe, expect, it } from 'vitest';
import { HardwareException } from '../../src/platform/index.ts';
import { TDH, TDH_AFTER_SHUTDOWN, TDH_BEFORE_READY } from '../../src/spec/leaves.ts';
import { SYS_STATE } from '../../src/spec/states.ts';
import * as S from '../../src/spec/status.ts';
import { OPERAND } from '../../src/spec/status.ts';
import { BareHost, GOOD_TDMR } from './bare-host.ts';

const INVALID_RAX = S.TDX_OPERAND_INVALID | OPERAND.RAX;

/** A host in each global state. */
const STATES: Readonly<Record<string, () => BareHost>> = {
  SYSINIT_PENDING: () => new BareHost(),
  SYSINIT_DONE: () => new BareHost().initLps(),
  SYSCONFIG_DONE: () => {
    const host = new BareHost().initLps();
    host.config(GOOD_TDMR);
    return host;
  },
};

const READY = (): BareHost => STATES.SYSCONFIG_DONE!().keys();

describe('SEAMCALL entry', () => {
  it('[S1-13] reserved bits in RAX, or a version that the leaf does not know → TDX_OPERAND_INVALID | RAX', () => {
    const host = READY();
    expect(host.call(TDH.SYS_INFO | (1n << 24n)).status).toBe(INVALID_RAX);
    expect(host.call(TDH.SYS_INFO | (1n << 62n)).status).toBe(INVALID_RAX);
    expect(host.call(TDH.SYS_INFO | (1n << 16n)).status).toBe(INVALID_RAX);
    expect(host.call(TDH.MNG_RD | (2n << 16n)).status).toBe(INVALID_RAX);
    expect(host.call(TDH.MNG_RD | (1n << 16n), { rcx: 1 }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RCX);
    const old = new BareHost({ 'module.profile': '1.5.01' }).initLps();
    old.config(GOOD_TDMR);
    old.keys();
    expect(old.call(TDH.VP_INIT | (1n << 16n)).status).toBe(0xc000_0100_0000_0000n);
    expect(host.call(TDH.VP_INIT | (1n << 16n), { rcx: 1 }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RCX);
  });

  it('[S1-14] before READY only the nine early leaves run; every other number, known or not, is TDX_SYS_NOT_READY', () => {
    for (const [name, make] of Object.entries(STATES)) {
      const host = make();
      for (const leaf of [...Object.values(TDH), 0x999n]) {
        if (TDH_BEFORE_READY.has(leaf)) continue;
        expect(host.call(leaf).status, `${name}: leaf 0x${leaf.toString(16)}`).toBe(S.TDX_SYS_NOT_READY);
      }
      for (const leaf of TDH_BEFORE_READY) {
        expect(make().call(leaf).status, `${name}: leaf 0x${leaf.toString(16)}`).not.toBe(S.TDX_SYS_NOT_READY);
      }
    }
    const ready = READY();
    for (const leaf of Object.values(TDH)) expect(ready.call(leaf).status).not.toBe(S.TDX_SYS_NOT_READY);
  });

  it('in READY an unknown leaf, and the reserved SEPT.WR, is TDX_OPERAND_INVALID | RAX', () => {
    const host = READY();
    expect(host.call(0x999n).status).toBe(INVALID_RAX);
    expect(host.call('MEM_SEPT_WR').status).toBe(INVALID_RAX);
  });

  it('the version is checked before the state, the state before the leaf number', () => {
    const host = new BareHost();
    expect(host.call(TDH.MNG_CREATE | (1n << 16n)).status).toBe(INVALID_RAX);
    expect(host.call(0x999n).status).toBe(S.TDX_SYS_NOT_READY);
  });

  it('after SYS.SHUTDOWN every leaf but LP.SHUTDOWN is TDX_SYS_SHUTDOWN', () => {
    const host = READY();
    expect(host.call('SYS_SHUTDOWN', { rcx: 1 }).status).toBe(S.TDX_OPERAND_INVALID | OPERAND.RCX);
    host.ok('SYS_SHUTDOWN');
    for (const leaf of Object.values(TDH)) {
      expect(host.call(leaf).status).toBe(TDH_AFTER_SHUTDOWN.has(leaf) ? S.TDX_SUCCESS : 0xc000_0506_0000_0000n);
    }
  });

  it('SYS.SHUTDOWN with another LP inside the module is TDX_SYS_BUSY and changes nothing', () => {
    const host = READY();
    const other = host.enter('SYS_TDMR_INIT', { rcx: GOOD_TDMR.base }, host.lps[1]!);
    expect(host.call('SYS_SHUTDOWN').status).toBe(S.TDX_SYS_BUSY);
    expect(host.module.state).toBe(SYS_STATE.READY);
    expect(other().status).toBe(S.TDX_SUCCESS);
    expect(host.call('SYS_SHUTDOWN').status).toBe(S.TDX_SUCCESS);
  });

  it('[S1-02] SEAMCALL outside VMX operation is #UD, [S1-01] and that comes before #GP without SEAMRR', () => {
    const off = new BareHost({ 'bios.seamrr': 'off' });
    const [lp] = off.lps;
    expect(vectorOf(() => off.call('SYS_INIT'))).toBe('#GP');
    lp!.stopped = '';
    lp!.vmxoff();
    expect(vectorOf(() => off.call('SYS_INIT'))).toBe('#UD');
    const on = new BareHost();
    expect(on.call('SYS_INIT').status).toBe(S.TDX_SUCCESS);
    on.lps[0]!.cpl = 3;
    expect(vectorOf(() => on.call('SYS_INIT'))).toBe('#GP');
    on.lps[1]!.vmxoff();
    expect(vectorOf(() => on.call('SYS_INIT', {}, on.lps[1]))).toBe('#UD');
  });

  it('[S1-05] without an installed module SEAMCALL is VMfailInvalid', () => {
    const host = new BareHost({ 'bios.seamModule': 'absent' });
    host.call('SYS_INIT');
    expect(host.lps[0]!.carry).toBe(true);
    const loaded = new BareHost();
    loaded.call('SYS_INIT');
    expect(loaded.lps[0]!.carry).toBe(false);
  });

  it('[SX-06] a leaf answers with an injected status after n calls, and runs again afterwards', () => {
    const host = READY();
    host.module.faults.inject('SYS_TDMR_INIT', S.TDX_SYS_BUSY, 1, 2);
    const statuses = Array.from({ length: 4 }, () => host.call('SYS_TDMR_INIT', { rcx: GOOD_TDMR.base }).status);
    expect(statuses).toEqual([S.TDX_SUCCESS, S.TDX_SYS_BUSY, S.TDX_SYS_BUSY, S.TDX_SUCCESS]);
  });
});

const vectorOf = (call: () => unknown): string => {
  try {
    call();
  } catch (exception) {
    if (exception instanceof HardwareException) return exception.vector;
    throw exception;
  }
  return 'none';
};
