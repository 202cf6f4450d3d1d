import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  construct_tdmrs,
  type MemblockRegion,
  pamtRanges,
  type Span,
  type Tdmr,
  type TdmrEnvironment,
  type TdmrLimits,
} from '../../src/linux/index.ts';
import { build_tdx_memlist } from '../../src/linux/tdx/memlist.ts';
import { ENOMEM, ENOSPC } from '../../src/spec/errno.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

const LIMITS: TdmrLimits = {
  max_tdmrs: 64,
  max_reserved_per_tdmr: 16,
  pamt_4k_entry_size: 16,
  pamt_2m_entry_size: 16,
  pamt_1g_entry_size: 16,
};

const region = (start: number, end: number, nid = 0): MemblockRegion => ({ start, end, nid });

interface Fake extends TdmrEnvironment {
  readonly held: Map<number, number>;
  readonly asked: { readonly size: number; readonly nid: number }[];
  readonly warnings: string[];
}

/** PAMTs from `at` upwards; at most `budget` of them. */
const environment = (at: number, budget = Infinity): Fake => {
  const held = new Map<number, number>();
  const asked: { size: number; nid: number }[] = [];
  const warnings: string[] = [];
  let next = at;
  return {
    held,
    asked,
    warnings,
    allocPamt(size, nid) {
      asked.push({ size, nid });
      if (asked.length > budget) return null;
      const base = next;
      next += size;
      held.set(base, size);
      return base;
    },
    freePamt(base, size) {
      expect(held.get(base)).toBe(size);
      held.delete(base);
    },
    warn: (text) => warnings.push(text),
  };
};

/** Somewhere no TDMR is. */
const FAR = 2 ** 45;
const spans = (tdmrs: readonly Tdmr[]) => tdmrs.map(({ base, size }) => [base, base + size]);
const areas = (list: readonly Span[]) => list.map(({ base, size }) => [base, base + size]);

describe('construct_tdmrs: worked examples', () => {
  it('1: two aligned regions, PAMT inside the first TDMR', () => {
    const env = environment(256 * MiB);
    const { errno, tdmrs } = construct_tdmrs([region(MiB, 2 * GiB), region(4 * GiB, 6 * GiB)], LIMITS, env);
    expect(errno).toBe(0);
    expect(spans(tdmrs)).toEqual([
      [0, 2 * GiB],
      [4 * GiB, 6 * GiB],
    ]);
    const [first, second] = pamtRanges(tdmrs);
    expect(areas(tdmrs[0]!.reserved)).toEqual([[0, MiB], ...areas([first!, second!])]);
    expect(tdmrs[1]!.reserved).toEqual([]);
  });

  it('2: a region split over two TDMRs, with a hole between neighbours', () => {
    const g = (value: number) => Math.round((value * GiB) / 4096) * 4096;
    const regions = [region(MiB, 0x7000_0000), region(4 * GiB, g(4.5)), region(g(4.6), g(6.2))];
    const { tdmrs } = construct_tdmrs(regions, LIMITS, environment(FAR));
    expect(spans(tdmrs)).toEqual([
      [0, 2 * GiB],
      [4 * GiB, 5 * GiB],
      [5 * GiB, 7 * GiB],
    ]);
    expect(areas(tdmrs[0]!.reserved)).toEqual([
      [0, MiB],
      [0x7000_0000, 2 * GiB],
    ]);
    expect(areas(tdmrs[1]!.reserved)).toEqual([[g(4.5), g(4.6)]]);
    expect(areas(tdmrs[2]!.reserved)).toEqual([[g(6.2), 7 * GiB]]);
  });

  const withHoles = (holes: number) => Array.from({ length: holes }, (_, i) => region(i * 32 * MiB + MiB, (i + 1) * 32 * MiB));

  it('3: 17 holes in one GiB exhaust the reserved areas, 16 do not', () => {
    const tail = region(16 * 32 * MiB, GiB);
    const sixteen = environment(FAR);
    expect(construct_tdmrs([...withHoles(16), tail], LIMITS, sixteen).tdmrs[0]!.reserved).toHaveLength(16);
    const seventeen = environment(FAR);
    expect(construct_tdmrs([...withHoles(17), region(17 * 32 * MiB, GiB)], LIMITS, seventeen)).toEqual({
      errno: -ENOSPC,
      tdmrs: [],
    });
    expect(seventeen.warnings.join()).toContain('reserved areas exhausted');
    expect(seventeen.held.size).toBe(0);
  });

  const scattered = (count: number) => Array.from({ length: count }, (_, i) => region(2 * i * GiB, 2 * i * GiB + GiB));

  it('4: 65 regions in GiBs of their own exhaust the TDMRs, 64 do not', () => {
    const env = environment(FAR);
    expect(construct_tdmrs(scattered(64), LIMITS, env).tdmrs).toHaveLength(64);
    expect(env.warnings.join()).toContain('64 used out of 64');
    const none = environment(FAR);
    expect(construct_tdmrs(scattered(65), LIMITS, none).errno).toBe(-ENOSPC);
    expect(none.asked).toEqual([]);
    expect(none.warnings.join()).toContain('TDMRs exhausted');
  });

  it('5: the PAMT of another TDMR counts against the 16 areas of the TDMR it lies in', () => {
    const regions = [...withHoles(15), region(15 * 32 * MiB, GiB), region(4 * GiB, 5 * GiB)];
    expect(construct_tdmrs(regions, LIMITS, environment(FAR)).errno).toBe(0);
    const inside = environment(600 * MiB);
    expect(construct_tdmrs(regions, LIMITS, inside).errno).toBe(-ENOSPC);
    expect(inside.held.size).toBe(0);
  });

  it('a region that a TDMR already covers gives no new one; neighbours are not merged', () => {
    const regions = [region(0, 100 * MiB), region(200 * MiB, GiB), region(GiB, 2 * GiB)];
    expect(spans(construct_tdmrs(regions, LIMITS, environment(FAR)).tdmrs)).toEqual([
      [0, GiB],
      [GiB, 2 * GiB],
    ]);
  });

  it('[S0-12] a 1 GiB TDMR has 4 MiB + 8 KiB + 4 KiB of PAMT in one block, 4K level first', () => {
    const { tdmrs } = construct_tdmrs([region(0, GiB)], LIMITS, environment(FAR));
    const { pamt } = tdmrs[0]!;
    expect(pamt).toEqual({
      '4k': { base: FAR, size: 4 * MiB },
      '2m': { base: FAR + 4 * MiB, size: 8192 },
      '1g': { base: FAR + 4 * MiB + 8192, size: 4096 },
    });
    const large = pamtRanges(construct_tdmrs([region(0, 6144 * GiB)], LIMITS, environment(FAR)).tdmrs)[0]!.size;
    expect((6144 * GiB) / large).toBeCloseTo(255.5, 1);
  });

  it('asks for the PAMT on the node of the first region that ends behind the TDMR base', () => {
    const env = environment(FAR);
    construct_tdmrs([region(0, GiB + 4096, 0), region(GiB + 4096, 2 * GiB, 1), region(3 * GiB, 4 * GiB, 1)], LIMITS, env);
    expect(env.asked.map(({ nid }) => nid)).toEqual([0, 1]);
    const split = environment(FAR);
    construct_tdmrs([region(0, GiB / 2, 0), region(GiB / 2, 3 * GiB, 1)], LIMITS, split);
    expect(split.asked.map(({ nid }) => nid)).toEqual([0, 1]);
  });

  it('without memory for a PAMT it gives back those it had', () => {
    const env = environment(FAR, 1);
    expect(construct_tdmrs(scattered(3), LIMITS, env).errno).toBe(-ENOMEM);
    expect(env.asked).toHaveLength(2);
    expect(env.held.size).toBe(0);
  });
});

/** Disjoint ascending regions in 4 KiB units, some with gaps below and above 1 GiB. */
const regionsArb = fc
  .array(fc.record({ gap: fc.nat({ max: 300_000 }), pages: fc.integer({ min: 1, max: 600_000 }), nid: fc.nat({ max: 1 }) }), {
    minLength: 1,
    maxLength: 24,
  })
  .map((pieces) => {
    let at = 0;
    return pieces.map(({ gap, pages, nid }) => {
      const start = at + gap * 4096;
      at = start + pages * 4096;
      return region(start, at, nid);
    });
  });

describe('construct_tdmrs: properties', () => {
  const roomy = { ...LIMITS, max_reserved_per_tdmr: 64 };

  it('TDMRs are aligned, ascending and disjoint, and cover every region', () => {
    fc.assert(
      fc.property(regionsArb, fc.nat({ max: 400_000 }), (regions, pamtPage) => {
        const { errno, tdmrs } = construct_tdmrs(regions, roomy, environment(pamtPage * 4096));
        expect(errno).toBe(0);
        for (const [i, { base, size }] of tdmrs.entries()) {
          expect(base % GiB).toBe(0);
          expect(size % GiB).toBe(0);
          expect(size).toBeGreaterThan(0);
          if (i > 0) expect(base).toBeGreaterThanOrEqual(tdmrs[i - 1]!.base + tdmrs[i - 1]!.size);
        }
        for (const { start, end } of regions) expect(covered(tdmrs, start, end)).toBe(end - start);
      }),
      { numRuns: 300 },
    );
  });

  it('what is neither a region nor a PAMT is reserved, and nothing else is', () => {
    fc.assert(
      fc.property(regionsArb, (regions) => {
        const env = environment(FAR);
        const { tdmrs } = construct_tdmrs(regions, roomy, env);
        for (const tdmr of tdmrs) {
          const usable = regions.reduce((sum, { start, end }) => sum + covered([tdmr], start, end), 0);
          const reserved = tdmr.reserved.reduce((sum, { size }) => sum + size, 0);
          expect(usable + reserved).toBe(tdmr.size);
          for (const area of tdmr.reserved)
            expect(regions.some(({ start, end }) => start < area.base + area.size && area.base < end)).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
  });
});

const covered = (list: readonly Span[], start: number, end: number): number =>
  list.reduce((sum, { base, size }) => sum + Math.max(0, Math.min(end, base + size) - Math.max(start, base)), 0);

describe('build_tdx_memlist', () => {
  it('[S1-36] begins at 1 MiB; what lies below is dropped', () => {
    const memory = [region(0, 0xa0000), region(0xff000, 2 * MiB), region(4 * GiB, 5 * GiB)];
    expect(build_tdx_memlist({ memory, reserved: [] })).toEqual([region(MiB, 2 * MiB), region(4 * GiB, 5 * GiB)]);
  });
});
