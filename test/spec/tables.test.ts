import { describe, expect, it } from 'vitest';
import { COUNTER, COUNTER_NAMES } from '../../src/spec/counters.ts';
import { cpuidConfig, cpuidEntries, cpuidLookup } from '../../src/spec/cpuid.ts';
import { EXIT_REASON, EXIT_REASON_NAMES, L1_OUTCOME } from '../../src/spec/exits.ts';
import { fieldContext, findMetadata, MD_SYS, MD_TD, MD_VP, metadataFields } from '../../src/spec/metadata.ts';
import { findMsr, MSR, msrRanges } from '../../src/spec/msr.ts';
import { inOpStates, OP_STATE, OP_STATE_ALLOWED, OP_STATE_TRACKED } from '../../src/spec/op-state.ts';
import * as sept from '../../src/spec/sept.ts';

describe('S-EPT states', () => {
  const { SEPT, SEPT_ACCEPTS, SEPT_BLOCKED, SEPT_FLAG, SEPT_STATE, SEPT_STATE_CODE, SEPT_UNBLOCKED } = sept;

  it('are read from and written to the bits of an entry without touching the others', () => {
    const address = 0x000a_bcde_f123_4000n & SEPT.HPA_MASK;
    const rest = address | SEPT.R | SEPT.W | SEPT.TDEL | SEPT.TDHP | SEPT.SVE;
    for (const state of Object.values(SEPT_STATE)) {
      const entry = sept.withSeptState(rest, SEPT_STATE_CODE[state]!);
      expect(sept.septState(entry)).toBe(state);
      expect(sept.septStateCode(entry)).toBe(SEPT_STATE_CODE[state]);
      expect(entry & (SEPT.HPA_MASK | SEPT.R | SEPT.W | SEPT.TDEL | SEPT.TDHP | SEPT.SVE)).toBe(rest);
    }
    expect(sept.septState(SEPT.FREE)).toBe(SEPT_STATE.FREE);
    expect(sept.septState(SEPT.D)).toBe(-1);
  });

  it('decide which leaf may work on an entry', () => {
    expect(sept.inStates(SEPT_ACCEPTS.TDH_MEM_PAGE_ADD, SEPT_STATE.FREE)).toBe(true);
    expect(sept.inStates(SEPT_ACCEPTS.TDH_MEM_PAGE_ADD, SEPT_STATE.MAPPED)).toBe(false);
    expect(sept.inStates(SEPT_ACCEPTS.TDG_MEM_PAGE_ACCEPT, SEPT_STATE.PENDING)).toBe(true);
    expect(sept.inStates(SEPT_FLAG.tlb_tracking_required, SEPT_STATE.FREE)).toBe(false);
    expect(sept.inStates(SEPT_FLAG.any_pending, -1)).toBe(false);
  });

  it('block and unblock within what the leaves accept', () => {
    for (const [from, to] of SEPT_BLOCKED) {
      expect(sept.inStates(SEPT_ACCEPTS.TDH_MEM_RANGE_BLOCK, from)).toBe(true);
      expect(sept.inStates(SEPT_FLAG.any_blocked, to)).toBe(true);
    }
    for (const [from, to] of SEPT_UNBLOCKED) {
      expect(sept.inStates(SEPT_ACCEPTS.TDH_MEM_RANGE_UNBLOCK, from)).toBe(true);
      expect(SEPT_BLOCKED.get(to)).toBe(from);
    }
  });
});

describe('OP_STATE', () => {
  it('decides which leaf is allowed', () => {
    expect(inOpStates(OP_STATE_ALLOWED.TDH_MEM_PAGE_ADD, OP_STATE.INITIALIZED)).toBe(true);
    expect(inOpStates(OP_STATE_ALLOWED.TDH_MEM_PAGE_ADD, OP_STATE.RUNNABLE)).toBe(false);
    expect(inOpStates(OP_STATE_ALLOWED.TDH_MNG_INIT, OP_STATE.UNINITIALIZED)).toBe(true);
    expect(inOpStates(OP_STATE_ALLOWED.TDH_MNG_INIT, OP_STATE.INITIALIZED)).toBe(false);
    expect(inOpStates(OP_STATE_TRACKED, OP_STATE.RUNNABLE)).toBe(true);
    expect(inOpStates(OP_STATE_TRACKED, OP_STATE.INITIALIZED)).toBe(false);
  });
});

describe('metadata fields', () => {
  it.each([
    ['SYS', MD_SYS],
    ['TD', MD_TD],
    ['VP', MD_VP],
  ] as const)('%s: every id selects its own field, in ascending order', (context, ids) => {
    const fields = metadataFields(context);
    expect(fields).toHaveLength(Object.keys(ids).length);
    fields.forEach((field, i) => {
      expect(findMetadata(context, field.id)).toEqual({ field, index: 0 });
      expect(fieldContext(field.id)).toBe(['SYS', 'TD', 'VP'].indexOf(context));
      const next = fields[i + 1];
      if (next?.class === field.class)
        expect(next.code, `${next.name} after ${field.name}`).toBeGreaterThanOrEqual(field.code + field.fields * field.elements);
    });
  });

  it('select by class and code alone, element by element', () => {
    expect(findMetadata('TD', MD_TD.RTMR + 7n)).toMatchObject({ field: { name: 'RTMR', elements: 6 }, index: 7 });
    expect(findMetadata('SYS', MD_SYS.MAX_TDMRS & ~(0x3n << 32n))).toMatchObject({ field: { name: 'MAX_TDMRS' } });
    expect(findMetadata('TD', MD_TD.SERVTD_NUM + 1n)).toBeUndefined();
  });

  it('say who may see what', () => {
    const { masks, offset } = findMetadata('TD', MD_TD.TSC_OFFSET)!.field;
    expect(offset).toBe(0xa8);
    expect(masks.prodRead).toBe((1n << 64n) - 1n);
    expect(masks.prodWrite).toBe(0n);
    expect(findMetadata('SYS', MD_SYS.NUM_CMRS)!.field.masks).toMatchObject({
      prodRead: 0xffffn,
      dbgRead: 0xffffn,
      guestRead: 0n,
    });
  });
});

describe('MSRs', () => {
  it('are found by range, and not outside', () => {
    expect(findMsr(MSR.IA32_SPEC_CTRL)?.name).toBe('IA32_SPEC_CTRL');
    expect(findMsr(0x18d)).toMatchObject({
      name: 'IA32_PERFEVTSELx',
      read: { condition: 'perfmon', whenTrue: 'native', whenFalse: 'gp' },
    });
    expect(findMsr(0x18e)).toBeUndefined();
    expect(findMsr(0x809)?.name).toBe('Reserved for xAPIC MSRs');
  });

  it('do not overlap', () => {
    const ranges = msrRanges();
    expect(ranges).toHaveLength(134);
    ranges.forEach(({ first, last }, i) => {
      expect(last).toBeGreaterThanOrEqual(first);
      if (i > 0) expect(first).toBeGreaterThan(ranges[i - 1]!.last);
    });
  });
});

describe('CPUID leaves', () => {
  it('have the lookup index of the module and masks that do not contradict each other', () => {
    const entries = cpuidEntries();
    expect(entries).toHaveLength(64);
    expect([cpuidLookup(1, 99), cpuidLookup(7, 0), cpuidLookup(5, 0), cpuidLookup(0xb, 0), cpuidLookup(7, 3)]).toEqual([
      0, 5, 63, -1, -1,
    ]);
    for (const { leaf, fixed1, fixed0OrDynamic } of entries) {
      for (const [i, ones] of fixed1.entries()) expect(ones & fixed0OrDynamic[i]!, `leaf ${leaf}`).toBe(0);
    }
    expect(entries.filter(({ causesVe }) => causesVe).map(({ leaf }) => leaf)).toEqual([
      0x6, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x1f, 0x80000006,
    ]);
  });

  it('are configurable in 12 places, each at its lookup index', () => {
    const config = cpuidConfig();
    expect(config).toHaveLength(12);
    for (const { leaf, subleaf, lookupIndex, configDirect, allowDirect } of config) {
      expect(cpuidEntries()[lookupIndex]).toMatchObject({ leaf, subleaf });
      for (const [i, bits] of configDirect.entries()) expect(bits & allowDirect[i]!).toBe(0);
    }
  });
});

describe('VM exits', () => {
  it('have a name and an outcome each', () => {
    expect(EXIT_REASON_NAMES.get(48)).toBe('EPT_VIOLATION');
    expect(L1_OUTCOME[EXIT_REASON_NAMES.get(EXIT_REASON.HLT_INSTRUCTION)!]).toBe('ve');
    expect(Object.keys(L1_OUTCOME)).toEqual(Object.keys(EXIT_REASON));
    expect(EXIT_REASON_NAMES.size).toBe(77);
  });
});

describe('counters', () => {
  it('are indexed from 0 without a hole', () => {
    expect(COUNTER_NAMES.map((name) => COUNTER[name])).toEqual(COUNTER_NAMES.map((_, i) => i));
  });
});
