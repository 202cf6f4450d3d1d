import { describe, expect, it } from 'vitest';
import { EBUSY, EINVAL, errnoByName, errnoName } from '../../src/spec/errno.ts';
import {
  SEAMLDR,
  seamcallName,
  TDG,
  TDH,
  TDH_BEFORE_READY,
  TDH_NAMES,
  TDH_VERSIONS,
  TDH_VERSIONS_1_5_KVM,
  tdcallName,
} from '../../src/spec/leaves.ts';
import * as status from '../../src/spec/status.ts';

describe('statuses', () => {
  it('prints a status with the operand it names', () => {
    expect(status.statusName(status.TDX_OPERAND_INVALID | status.OPERAND.RCX)).toBe('TDX_OPERAND_INVALID | RCX');
    expect(status.statusName(status.TDX_OPERAND_BUSY | status.OPERAND.SEPT_TREE)).toBe('TDX_OPERAND_BUSY | SEPT_TREE');
    expect(status.statusName(status.TDX_SUCCESS)).toBe('TDX_SUCCESS');
    expect(status.statusName(status.TDX_SYS_BUSY)).toBe('TDX_SYS_BUSY');
  });

  it('prints other details as numbers, unknown operands as ids, unknown statuses as digits', () => {
    expect(status.statusName(status.TDX_INVALID_PAMT | 0x102n)).toBe('TDX_INVALID_PAMT | 0x102');
    expect(status.statusName(status.TDX_OPERAND_INVALID | 200n)).toBe('TDX_OPERAND_INVALID | 200');
    expect(status.statusName(0xc000_ffee_0000_0000n)).toBe('0xc000ffee00000000');
  });

  it("knows Linux's software codes and no other status by them", () => {
    expect(status.statusName(0x8000_ff00_ffff_0000n)).toBe('TDX_SEAMCALL_VMFAILINVALID');
    expect(status.statusName(0x8000_ff00_0000_000dn)).toBe('TDX_SEAMCALL_GP');
    expect(status.statusName(0x8000_ff00_0000_0006n)).toBe('TDX_SEAMCALL_UD');
  });

  it('tells error, warning and success apart', () => {
    expect(status.isError(status.TDX_TD_FATAL)).toBe(true);
    expect(status.isError(status.TDX_PAGE_ALREADY_FREE)).toBe(false);
    expect(status.isSuccess(status.TDX_PAGE_ALREADY_FREE)).toBe(false);
    expect(status.isSuccess(status.TDX_SUCCESS | 77n)).toBe(true);
    expect(status.statusParts(status.TDX_CROSS_TD_TRAP | 48n)).toEqual({
      error: true,
      nonRecoverable: false,
      fatal: false,
      hostRecoverabilityHint: true,
      class: 0,
      detailsL1: 9,
      detailsL2: 48,
    });
  });

  it('has 165 module statuses, no two with one code', () => {
    const codes = Object.entries(status).filter(
      ([name, v]) => typeof v === 'bigint' && /^TDX?_/.test(name) && !/SEAMCALL|SW_ERROR|TDX_ERROR$/.test(name),
    );
    expect(codes).toHaveLength(165);
    expect(new Set(codes.map(([, v]) => v)).size).toBe(165);
  });
});

describe('leaves', () => {
  it('have the names of the specification', () => {
    expect(seamcallName(TDH.MEM_PAGE_ADD)).toBe('TDH.MEM.PAGE.ADD');
    expect(seamcallName(TDH.VP_INIT | (1n << 16n))).toBe('TDH.VP.INIT');
    expect(seamcallName(SEAMLDR.INSTALL)).toBe('SEAMLDR.INSTALL');
    expect(tdcallName(TDG.MR_RTMR_EXTEND)).toBe('TDG.MR.RTMR.EXTEND');
    expect(seamcallName(1000n)).toBe('TDH(0x3e8)');
    expect(TDH_NAMES.size).toBe(Object.keys(TDH).length);
  });

  it('know which versions and which module state they need', () => {
    expect([...TDH_VERSIONS.keys()].sort((a, b) => Number(a - b))).toEqual([
      TDH.MEM_SEPT_ADD,
      TDH.MNG_RD,
      TDH.MEM_PAGE_PROMOTE,
      TDH.VP_RD,
      TDH.MEM_SEPT_REMOVE,
    ]);
    expect(TDH_VERSIONS.has(TDH.VP_INIT)).toBe(false);
    expect(TDH_VERSIONS_1_5_KVM.get(TDH.VP_INIT)).toBe(1);
    expect(TDH_BEFORE_READY.has(TDH.SYS_INIT)).toBe(true);
    expect(TDH_BEFORE_READY.has(TDH.SYS_TDMR_INIT)).toBe(false);
  });
});

describe('errnos', () => {
  it('print as the kernel prints them', () => {
    expect(errnoName(-EINVAL)).toBe('-EINVAL');
    expect(errnoName(0)).toBe('0');
    expect(errnoName(-4000)).toBe('-4000');
    expect(errnoName(EINVAL)).toBe('22');
    expect(errnoByName('EBUSY')).toBe(EBUSY);
    expect(errnoByName('EBUSYY')).toBeUndefined();
  });
});
