/** What the tree costs: uniform ranges, splitting, collapsing and reuse. */
import { describe, expect, it } from 'vitest';
import type { MemoryCore } from '../../../bindings/index.ts';
import { CoreMisuse, createCore } from '../../../bindings/index.ts';
import { CONFIG, GIB, PRIVATE, TME } from '../shared/engine.ts';

const PAGE = 4096;
const NODE = 8192;
/** Up to four odd lines of a uniform page. */
const SPARSE_PAGE = 48 + 4 * 64;
/** First size of the displacement log. */
const LOG = 64 * 1024;
const TIB = 2 ** 40;
const LINES_PER_GIB = GIB / 64;

function growth(core: MemoryCore, act: () => void): number {
  const before = core.memoryUsed();
  act();
  return core.memoryUsed() - before;
}

function dirtyPages(core: MemoryCore, pages: number): void {
  const bytes = new Uint8Array(PAGE).fill(7);
  for (let i = 0; i < pages; i++) core.write(0, i * PAGE, TME, bytes);
  core.wbinvd(0);
}

describe('uniform ranges', () => {
  it('a direct fill of 64 TiB touches few nodes', () => {
    const core = createCore(CONFIG);
    expect(growth(core, () => core.movdir64bFill(0, 64 * TIB, 64 * (TIB / 64), PRIVATE, 5n))).toBeLessThan(LOG);
    expect(core.load(0, 127 * TIB, 8, PRIVATE)).toBe(0);
    expect(core.mailbox.u64[0]).toBe(5n);
    expect([64 * TIB - 64, 128 * TIB].map((pa) => core.inspect(pa).keyId)).toEqual([TME, TME]);
  });

  it('one line splits the range down to its page, and filling it again collapses it', () => {
    const core = createCore({ ...CONFIG, provenance: false });
    const start = core.memoryUsed();
    core.mailbox.u8.fill(1, 0, 64);
    expect(growth(core, () => core.movdir64b(0, 8 * TIB + 64, PRIVATE))).toBe(3 * NODE + SPARSE_PAGE);
    core.movdir64bFill(0, 8 * TIB, 64, TME, 0n);
    expect(core.memoryUsed()).toBe(start);
    expect(core.inspect(8 * TIB + 64)).toMatchObject({ keyId: TME, tdBit: false });
  });

  it('a page written line by line under one KeyID is uniform again', () => {
    const core = createCore(CONFIG);
    core.mailbox.u8.fill(3, 0, 64);
    for (let line = 0; line < 5; line++) core.movdir64b(0, line * 64, PRIVATE);
    const mixed = core.memoryUsed();
    for (let line = 5; line < 64; line++) core.movdir64b(0, line * 64, PRIVATE);
    expect(core.memoryUsed()).toBeLessThan(mixed);
  });

  it('a range stops at a home border: each side has its own package key', () => {
    const core = createCore(CONFIG);
    core.programKey(0, PRIVATE, 'random');
    core.movdir64bFill(0, 0, 2 * LINES_PER_GIB, PRIVATE, 0n);
    expect(core.inspect(GIB - 64)).toMatchObject({ homePackage: 0, generation: 1 });
    expect(core.inspect(GIB)).toMatchObject({ homePackage: 1, generation: 0 });
    expect(core.capture(GIB - 64).ciphertext).not.toEqual(core.capture(GIB).ciphertext);
  });

  it('reaches the last line of 52 bits, and no further', () => {
    const core = createCore(CONFIG);
    const last = 2 ** 52 - 64;
    core.mailbox.u8.fill(9, 0, 64);
    expect(core.store(0, last, 64, TME)).toBe(0);
    core.setEvent(3);
    core.movdir64b(0, last - 64, PRIVATE);
    core.wbinvd(0);
    expect(core.inspect(last - 64)).toMatchObject({ keyId: PRIVATE, tdBit: true, writer: 3 });
    expect(core.load(0, last, 64, TME)).toBe(0);
    expect(core.mailbox.u8[63]).toBe(9);
    expect(() => core.store(0, last, 65, TME)).toThrow(CoreMisuse);
    expect(() => core.clflush(last, 2, TME)).toThrow(expect.objectContaining({ code: 'ADDRESS_RANGE' }));
  });
});

describe('memory in use', () => {
  it('64 GiB cost what is touched', () => {
    const core = createCore(CONFIG);
    core.movdir64bFill(0, 0, 64 * LINES_PER_GIB, PRIVATE, 0n);
    expect(growth(core, () => dirtyPages(core, 16))).toBeLessThan(16 * PAGE + 8 * NODE);
  });

  it('is flat under repetition', () => {
    const core = createCore({ ...CONFIG, provenance: false });
    const round = (): void => {
      dirtyPages(core, 64);
      for (let keyId = PRIVATE; keyId < PRIVATE + 4; keyId++) core.programKey(0, keyId, 'random');
      core.speculate(0, 3 * PAGE, PRIVATE);
      core.movdir64bFill(0, 0, 64 * 64, TME, 0n);
      core.clflush(0, 64 * 64, PRIVATE);
    };
    for (let i = 0; i < 2500; i++) round();
    expect(
      growth(core, () => {
        for (let i = 0; i < 2000; i++) round();
      }),
    ).toBeLessThanOrEqual(0);
  });

  it('a cold reset gives everything back', () => {
    const core = createCore(CONFIG);
    dirtyPages(core, 8);
    core.coldReset();
    const empty = core.memoryUsed();
    dirtyPages(core, 200);
    core.flip(0, 'data', 3);
    core.coldReset();
    expect(core.memoryUsed()).toBeLessThanOrEqual(empty);
    expect(core.inspect(0)).toMatchObject({ keyId: TME, writer: 0, tampered: false });
  });
});

describe('machines', () => {
  it('share nothing in one process', () => {
    const [a, b] = [createCore(CONFIG), createCore({ ...CONFIG, seed: 2n })];
    a.mailbox.u8.fill(1, 0, 64);
    a.store(0, 0, 64, TME);
    a.setEvent(9);
    expect(b.load(0, 0, 8, TME)).toBe(0);
    expect(b.mailbox.u64[0]).toBe(0n);
    expect(b.cachedCopies(0)).toHaveLength(1);
    expect(a.capture(PAGE).ciphertext).not.toEqual(b.capture(PAGE).ciphertext);
  });
});
