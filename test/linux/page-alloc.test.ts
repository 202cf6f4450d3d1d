import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../src/linux/index.ts';
import { Extents } from '../../src/linux/mm/extents.ts';
import { bench } from './fake-seam.ts';

const GiB = 2 ** 30;

describe('Extents', () => {
  const operation = fc.record({ add: fc.boolean(), start: fc.nat({ max: 60 }), length: fc.integer({ min: 1, max: 20 }) });

  it('is a set of addresses: equal to one bit an address', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const extents = new Extents();
        const bits = new Array<boolean>(100).fill(false);
        for (const { add, start, length } of operations) {
          if (add) extents.add(start, start + length);
          else extents.remove(start, start + length);
          bits.fill(add, start, start + length);
        }
        const runs: { base: number; size: number }[] = [];
        for (const [at, set] of bits.entries()) {
          if (set && bits[at - 1]) (runs.at(-1) as { size: number }).size++;
          else if (set) runs.push({ base: at, size: 1 });
        }
        expect(extents.ranges).toEqual(runs);
        expect(extents.size).toBe(bits.filter(Boolean).length);
        for (const { base, size } of runs)
          expect([extents.contains(base, base + size), extents.contains(base, base + size + 1)]).toEqual([true, false]);
      }),
    );
  });
});

describe('the page allocator', () => {
  it('places by node and rule; low memory and the kernel image are never handed out', () => {
    const { kernel } = bench();
    const [cpu] = kernel.cpus;
    const local = kernel.pages.alloc_page(cpu!, 'a')!;
    const remote = kernel.pages.alloc_page(cpu!, 'b', 1)!;
    expect(kernel.platform.nodeOf(local)).toBe(0);
    expect(kernel.platform.nodeOf(remote)).toBe(1);
    expect(remote).toBe(4 * GiB);
    for (const reserved of kernel.memblock.reserved) {
      for (const free of kernel.pages.freeRanges())
        expect(free.base >= reserved.base + reserved.size || free.base + free.size <= reserved.base).toBe(true);
    }
  });

  it('contiguous allocations are aligned to their size and fall back to another node', () => {
    const { kernel } = bench();
    const [cpu] = kernel.cpus;
    const nr = 300;
    expect(kernel.pages.alloc_contig_pages(cpu!, nr, 1, 'x')! % (nr * PAGE_SIZE)).toBe(0);
    const whole = (1.5 * GiB) / PAGE_SIZE;
    expect(kernel.platform.nodeOf(kernel.pages.alloc_contig_pages(cpu!, whole, 0, 'x') ?? 4 * GiB)).toBe(1);
    expect(kernel.pages.alloc_contig_pages(cpu!, whole * 2, 0, 'x')).toBeNull();
  });

  it('counts what is handed out by owner, and refuses to take back what it did not give', () => {
    const { kernel } = bench();
    const [cpu] = kernel.cpus;
    const page = kernel.pages.alloc_page(cpu!, 'tdr')!;
    kernel.pages.alloc_page(cpu!, 'tdr');
    expect(kernel.pages.outstanding()).toEqual(new Map([['tdr', 2 * PAGE_SIZE]]));
    expect(kernel.pages.isFree(page)).toBe(false);
    kernel.pages.__free_page(page);
    expect(kernel.pages.isFree(page)).toBe(true);
    expect(kernel.pages.outstanding()).toEqual(new Map([['tdr', PAGE_SIZE]]));
    expect(() => kernel.pages.__free_page(page)).toThrow(/Bad page state/);
    expect(kernel.pages.alloc_page(cpu!, 'next')).toBe(page);
  });

  it('fails where a test says so', () => {
    const { kernel } = bench();
    const [cpu] = kernel.cpus;
    kernel.faults.failAllocation('tdcs', { skip: 1, count: 2 });
    expect([1, 2, 3, 4].map(() => kernel.pages.alloc_page(cpu!, 'tdcs') !== null)).toEqual([true, false, false, true]);
  });
});

describe('earlier users of page frames', () => {
  const dirtyLines = (knobs: Record<string, number | string>, seed = 1n): { pa: number; package: number; keyId: number }[] => {
    const { kernel, platform } = bench({ 'hw.cache.sets': 4096, ...knobs }, { seed });
    const base = kernel.pages.alloc_contig_pages(kernel.cpus[0]!, 1024, 0, 'PAMT')!;
    const found: { pa: number; package: number; keyId: number }[] = [];
    platform.core.forEachCached(base, 1024 * PAGE_SIZE, (pa, copy) => {
      if (copy.dirty) found.push({ pa, package: copy.package, keyId: copy.keyId });
    });
    return found;
  };

  it('leave dirty KeyID-0 lines in the caches of both packages, as many as the knob says and never in more than a quarter', () => {
    const lines = dirtyLines({ 'kernel.dirtyLines': 500 });
    expect(lines.length).toBeGreaterThan(450);
    expect(lines.length).toBeLessThanOrEqual(500);
    expect(new Set(lines.map((line) => line.package))).toEqual(new Set([0, 1]));
    expect(lines.every(({ keyId }) => keyId === 0)).toBe(true);
    expect(dirtyLines({ 'kernel.dirtyLines': 0 })).toEqual([]);
  });

  it('are a function of the seed', () => {
    expect(dirtyLines({})).toEqual(dirtyLines({}));
    expect(dirtyLines({}, 2n)).not.toEqual(dirtyLines({}));
  });

  it('with init_on_alloc every line of a page is dirty', () => {
    expect(dirtyLines({ 'kernel.initOnAlloc': 'on' })).toHaveLength(1024 * 64);
  });

  it('are those of frames that this kernel never had before', () => {
    const { kernel, platform } = bench({ 'kernel.dirtyPages': 100 });
    const [cpu] = kernel.cpus;
    const page = kernel.pages.alloc_page(cpu!, 'x')!;
    const dirty = (): number => {
      let count = 0;
      platform.core.forEachCached(page, PAGE_SIZE, (_, copy) => (count += copy.dirty ? 1 : 0));
      return count;
    };
    expect(dirty()).toBe(1);
    platform.core.clflush(page, 64, 0);
    kernel.pages.__free_page(page);
    expect(kernel.pages.alloc_page(cpu!, 'y')).toBe(page);
    expect(dirty()).toBe(0);
  });

  it('leave something in some single pages', () => {
    const { kernel, platform } = bench({ 'kernel.dirtyPages': 50 });
    let dirty = 0;
    for (let i = 0; i < 200; i++) {
      const page = kernel.pages.alloc_page(kernel.cpus[0]!, 'x')!;
      platform.core.forEachCached(page, PAGE_SIZE, (_, copy) => (dirty += copy.dirty ? 1 : 0));
    }
    expect(dirty).toBeGreaterThan(60);
    expect(dirty).toBeLessThan(140);
  });
});
