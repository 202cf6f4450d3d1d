import { describe, expect, it } from 'vitest';
import { SEPT, SEPT_STATE, SEPT_STATE_NUMBER, type SeptStateName } from '../../src/spec/sept.ts';
import {
  acceptCounter,
  entryView,
  hpaOf,
  infoWord,
  inState,
  leafEntry,
  nonLeafEntry,
  withAcceptCounter,
} from '../../src/tdx-module/sept/entry.ts';

const HPA = 0x12_3456_7000;
const names = Object.keys(SEPT_STATE) as SeptStateName[];

describe('S-EPT entries', () => {
  it('gives a free slot its architectural value, which is not zero', () => {
    expect(SEPT.FREE).toBe(0x80e0_0000_0000_0000n);
    expect(entryView({ entry: SEPT.FREE, level: 0 })).toBe(1n << 63n);
  });

  it('maps a page read-write-execute, write-back, with suppress-#VE', () => {
    expect(leafEntry(HPA, SEPT_STATE.MAPPED)).toBe(BigInt(HPA) | 0x7n | (6n << 3n) | (1n << 6n) | (1n << 7n) | (1n << 63n));
  });

  it('gives a pending page no permissions', () => {
    const entry = leafEntry(HPA, SEPT_STATE.PENDING);
    expect(entry & 7n).toBe(0n);
    expect(entry & SEPT.TDP).toBe(SEPT.TDP);
  });

  it('hides the address of an S-EPT page from the host, and shows that of a leaf', () => {
    expect(entryView({ entry: nonLeafEntry(HPA), level: 1 })).toBe(7n);
    expect(entryView({ entry: leafEntry(HPA, SEPT_STATE.MAPPED), level: 0 }) & SEPT.HPA_MASK).toBe(BigInt(HPA));
    expect(entryView({ entry: leafEntry(HPA, SEPT_STATE.BLOCKED), level: 0 }) & SEPT.TDB).toBe(0n);
  });

  it.each(names)('returns the number of %s in bits 15:8 of the information word', (name) => {
    const state = SEPT_STATE[name];
    const entry = inState(leafEntry(HPA, SEPT_STATE.MAPPED), state);
    expect(infoWord(entry, 2)).toBe(2n | (BigInt(SEPT_STATE_NUMBER[state]!) << 8n));
  });

  it('keeps the accept counter out of the address of a pending 2 MiB page', () => {
    const page = 0x4000_0000;
    const entry = withAcceptCounter(leafEntry(page, SEPT_STATE.PENDING), 511);
    expect(acceptCounter(entry)).toBe(511);
    expect(hpaOf({ entry, level: 1 })).toBe(page);
    expect(entryView({ entry, level: 1 }) & SEPT.HPA_MASK).toBe(BigInt(page));
  });
});
