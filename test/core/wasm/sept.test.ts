/** Staleness of an LP's translations: only INVEPT makes it look again. */
import { describe, expect, it } from 'vitest';
import type { MemoryCore } from '../../../bindings/index.ts';
import { createCore } from '../../../bindings/index.ts';
import { CONFIG, PRIVATE } from '../shared/engine.ts';

const PAGE = 4096;
const ROOT = 0x100000;
const TABLES = [ROOT, ROOT + PAGE, ROOT + 2 * PAGE, ROOT + 3 * PAGE];
const TARGET = 0x800000;
const GPA = 0x12345000;
const RWX = 7n;
const LEAF = 0x80n;
const FREE = 0x80e0000000000000n;

function setEntry(core: MemoryCore, level: number, gpa: number, entry: bigint): void {
  const table = TABLES[3 - level]!;
  core.mailbox.u64[0] = entry;
  core.store(0, table + (Math.floor(gpa / 2 ** (12 + 9 * level)) % 512) * 8, 8, PRIVATE);
}

function mapped(): MemoryCore {
  const core = createCore(CONFIG);
  for (const table of TABLES) core.movdir64bFill(0, table, 64, PRIVATE, FREE);
  for (const level of [3, 2, 1]) setEntry(core, level, GPA, BigInt(TABLES[4 - level]!) | RWX);
  setEntry(core, 0, GPA, BigInt(TARGET) | RWX | LEAF);
  core.septSetRoot(0, 0, ROOT, PRIVATE, 4);
  return core;
}

describe('S-EPT walks', () => {
  it('find the page, its entry and its level', () => {
    const core = mapped();
    expect(core.septWalk(0, 0, 0, GPA + 0x123, true)).toBe(0);
    expect([core.walkHpa, core.walkEntry, core.walkLevel]).toEqual([TARGET, BigInt(TARGET) | RWX | LEAF, 0]);
    expect(core.septWalk(0, 0, 0, GPA + PAGE, false)).toBe(1);
    expect(core.walkEntry).toBe(FREE);
  });

  it('stay stale until INVEPT on that LP', () => {
    const core = mapped();
    core.septSetRoot(1, 0, ROOT, PRIVATE, 4);
    core.septWalk(0, 0, 0, GPA, false);
    core.septWalk(1, 0, 0, GPA, false);
    setEntry(core, 0, GPA, FREE);
    expect([core.septWalk(0, 0, 0, GPA, false), core.septWalk(1, 0, 0, GPA, false)]).toEqual([0, 0]);
    core.invept(0);
    expect([core.septWalk(0, 0, 0, GPA, false), core.septWalk(1, 0, 0, GPA, false)]).toEqual([1, 0]);
  });

  it('keep thousands of translations, and INVEPT forgets them all at once', () => {
    const core = mapped();
    for (let i = 0; i < 512; i++)
      setEntry(core, 0, i * PAGE + Math.floor(GPA / 2 ** 21) * 2 ** 21, BigInt(TARGET + i * PAGE) | RWX | LEAF);
    const base = Math.floor(GPA / 2 ** 21) * 2 ** 21;
    for (let i = 0; i < 512; i++) core.septWalk(0, 0, 0, base + i * PAGE, false);
    core.movdir64bFill(0, TABLES[3]!, 64, PRIVATE, FREE);
    const walks = (): number[] => Array.from({ length: 512 }, (_, i) => core.septWalk(0, 0, 0, base + i * PAGE, false));
    expect(new Set(walks())).toEqual(new Set([0]));
    core.septWalk(0, 0, 0, base + 5 * PAGE, false);
    expect(core.walkHpa).toBe(TARGET + 5 * PAGE);
    core.invept(0);
    expect(new Set(walks())).toEqual(new Set([1]));
  });

  it('use a cached non-leaf entry after its table was replaced', () => {
    const core = mapped();
    core.septWalk(0, 0, 0, GPA, false);
    setEntry(core, 1, GPA, FREE);
    setEntry(core, 0, GPA + PAGE, BigInt(TARGET + PAGE) | RWX | LEAF);
    expect(core.septWalk(0, 0, 0, GPA + PAGE, false)).toBe(0);
    core.invept(0);
    expect(core.septWalk(0, 0, 0, GPA + PAGE, false)).toBe(1);
    expect(core.walkLevel).toBe(1);
  });

  it('meet poison in a table page and say where', () => {
    const core = mapped();
    core.clflush(TABLES[3]!, 64, PRIVATE);
    core.flip(TABLES[3]! + (Math.floor(GPA / PAGE) % 512) * 8, 'data', 1);
    expect(core.septWalk(0, 0, 0, GPA, false)).toBe(3);
    expect(core.fault).toMatchObject({ check: 'mac', keyId: PRIVATE });
  });
});
