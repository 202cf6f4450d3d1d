/** WBINVD is a note that pages heed later (assembly/pending.ts): nothing may show that. Both engines run the same story. */
import { describe, expect, it } from 'vitest';
import { createCore } from '../../bindings/index.ts';
import { both, CORE } from './both.ts';
import { bytesOf, GIB, LINE, Machine, PRIVATE, SHARED, TME } from './shared/engine.ts';

const PAGE = 4096;

/** A dirty line of `keyId` in the cache of `pkg`, over memory that it may read. */
function dirty(machine: Machine, pkg: number, pa: number, keyId: number, tag: number): void {
  machine.put(pa, keyId, bytesOf(0));
  machine.store(pkg, pa, keyId, bytesOf(tag));
}

const state = ({ core }: Machine, pa: number): unknown => [core.inspect(pa), core.capture(pa), core.displacements(pa)];

describe('what a WBINVD promised', () => {
  it('is seen by every look at the memory side', () => {
    const looks: ((machine: Machine) => unknown)[] = [
      (m) => m.core.inspect(0),
      (m) => m.core.capture(0),
      (m) => m.core.plaintext(0),
      (m) => m.core.displacements(0),
      (m) => m.core.nextNonZero(0, PAGE),
      (m) => m.core.check(0, PAGE, PRIVATE),
      (m) => m.dma(0, TME),
      (m) => m.load(1, 0, PRIVATE),
      (m) => m.core.cachedCopies(0),
      (m) => m.core.counters().wbinvdLines,
      (m) => {
        const seen: unknown[] = [];
        m.core.forEachRun(0, PAGE, (pa, lines, s) => seen.push(pa, lines, s));
        m.core.forEachCached(0, PAGE, (pa, copy) => seen.push(pa, copy));
        return seen;
      },
    ];
    for (const look of looks) {
      both((m) => {
        dirty(m, 0, 0, PRIVATE, 7);
        m.core.wbinvd(0);
        return look(m);
      });
    }
  });

  it('comes before whatever changes the line', () => {
    const acts: ((machine: Machine) => void)[] = [
      (m) => m.put(0, SHARED, bytesOf(9)),
      (m) => m.direct('nt-store', 4, SHARED, bytesOf(9, 8)),
      (m) => m.direct('uc-store', 0, PRIVATE, bytesOf(9, 8)),
      (m) => m.direct('dma', 0, TME, bytesOf(9)),
      (m) => m.core.movdir64bFill(0, 0, 1, SHARED, 5n),
      (m) => m.core.movdir64bFill(0, 0, 64 * 512, SHARED, 5n),
      (m) => m.core.movdir64bCopy(0, LINE, PRIVATE, 0, PRIVATE, 1),
      (m) => m.core.directWrite('movdir64b', 0, 0, SHARED, bytesOf(9, PAGE)),
      (m) => m.core.clflush(0, 1, PRIVATE),
      (m) => m.core.clflush(0, 64, SHARED),
      (m) => m.store(1, 0, SHARED, bytesOf(9)),
      (m) => m.core.evict(0, 0, PRIVATE),
      (m) => m.core.flip(0, 'data', 9),
      (m) => m.core.flip(0, 'mac', 3),
      (m) => m.core.flip(0, 'td-bit'),
      (m) => m.core.flip(0, 'poison'),
      (m) => m.core.replay(0, { ciphertext: bytesOf(9), mac: 5, tdBit: true, poison: false }),
    ];
    for (const act of acts) {
      both((m) => {
        m.core.setEvent(1);
        dirty(m, 0, 0, PRIVATE, 7);
        m.put(LINE, SHARED, bytesOf(1));
        m.store(1, LINE, TME, bytesOf(2));
        m.core.setEvent(2);
        m.core.wbinvd(0);
        m.core.wbinvd(1);
        m.core.setEvent(3);
        act(m);
        const seen = [state(m, 0), state(m, LINE), m.copies(0), m.core.counters().writeBacks];
        return [seen, m.load(1, 0, PRIVATE), m.load(1, LINE, PRIVATE)];
      });
    }
  });

  it('happened at its own event, and under the key of its moment', () => {
    const [inspected] = both((m) => {
      m.core.setEvent(10);
      dirty(m, 0, 0, PRIVATE, 1);
      dirty(m, 1, GIB, PRIVATE, 2);
      m.put(0, SHARED, bytesOf(5));
      m.core.setEvent(20);
      m.core.wbinvd(0);
      m.core.setEvent(30);
      m.core.programKey(0, PRIVATE, 'random');
      m.core.wbinvd(1);
      m.core.programKey(0, PRIVATE, 'no-encrypt');
      m.core.programKey(1, PRIVATE, 'clear');
      m.core.setEvent(40);
      return [m.core.inspect(0), state(m, 0), state(m, GIB), m.load(0, 0, PRIVATE), m.core.counters().displacements];
    });
    expect(inspected).toMatchObject({ keyId: PRIVATE, generation: 1, writer: 10 });
  });

  it('drains the aliases of a line in ascending KeyID, package by package in the order of the WBINVDs', () => {
    both((m) => {
      for (const [pkg, keyId] of [
        [0, PRIVATE],
        [1, SHARED],
        [0, TME],
        [1, PRIVATE + 1],
      ] as const) {
        m.core.setEvent(keyId + 1);
        m.store(pkg, 0, keyId, bytesOf(keyId));
      }
      m.core.wbinvd(1);
      m.store(1, LINE, SHARED, bytesOf(9));
      m.core.wbinvd(0);
      m.core.wbinvd(1);
      return [state(m, 0), state(m, LINE), m.copies(0)];
    });
  });

  it('is kept through more WBINVDs than are noted at once, with and without a line held meanwhile', () => {
    both((m) => {
      dirty(m, 0, 0, PRIVATE, 3);
      dirty(m, 1, PAGE, PRIVATE, 4);
      m.load(1, 2 * PAGE, TME);
      for (let i = 0; i < 700; i++) {
        m.core.setEvent(i);
        m.store(0, 3 * PAGE + (i % 7) * LINE, SHARED, bytesOf(i & 0xff));
        m.core.wbinvd(0);
        if (i === 400) m.core.programKey(0, PRIVATE, 'random');
        if (i === 500) m.core.wbinvd(1);
      }
      return [0, PAGE, 2 * PAGE, 3 * PAGE].map((pa) => [state(m, pa), m.copies(pa)]);
    });
  });

  it('covers whole pages, poisoned lines and lines that another package took over', () => {
    both((m) => {
      m.core.movdir64bFill(0, 0, 64, PRIVATE, 5n);
      m.core.write(0, 0, PRIVATE, bytesOf(1, PAGE));
      m.store(1, LINE, PRIVATE, bytesOf(2));
      m.core.flip(PAGE, 'poison');
      m.store(0, PAGE, PRIVATE, bytesOf(3));
      m.core.fill(0, 2 * PAGE, PAGE, SHARED, 0x1111n);
      m.core.wbinvd(0);
      const held = [m.copies(0), m.copies(LINE)];
      m.core.wbinvd(1);
      return [
        held,
        ...[0, LINE, PAGE, 2 * PAGE].map((pa) => state(m, pa)),
        m.load(0, PAGE, PRIVATE),
        m.core.counters().writeBacks,
      ];
    });
  });

  it('writes back a page of one pattern that two events filled', () => {
    const found = both((m) => {
      for (const [event, pa, length] of [
        [1, 0, PAGE],
        [2, 5 * LINE, 9 * LINE],
      ] as const) {
        m.core.setEvent(event);
        m.core.fill(0, pa, length, SHARED, 0x2222n);
      }
      m.core.setEvent(3);
      m.core.wbinvd(0);
      return [0, 4, 5, 13, 14, 63].map((line) => [m.core.inspect(line * LINE).writer, state(m, line * LINE)]);
    });
    expect(found.map(([writer]) => writer)).toEqual([1, 1, 2, 2, 1, 1]);
  });

  it('leaves evictions by rank right, in every region of the index', () => {
    both((m) => {
      const regions = [0, 2 ** 21, GIB, 2 ** 39];
      const hold = (lines: number, apart: number): void => {
        for (const base of regions) for (let i = 0; i < lines; i++) m.store(0, base + i * apart, SHARED, bytesOf(i));
      };
      hold(20, PAGE + LINE);
      m.core.wbinvd(0);
      hold(5, 3 * PAGE);
      return Array.from({ length: 4 * 5 + 1 }, () => {
        const evicted = m.core.evictSome(0, 1);
        return [evicted, ...regions.map((base) => [0, 1, 2, 3, 4].map((i) => m.copies(base + i * 3 * PAGE).length).join(''))];
      });
    });
  });

  it('survives resets, and an eviction by rank counts what is left', () => {
    for (const reset of ['coldReset', 'warmReset'] as const) {
      both((m) => {
        dirty(m, 0, 0, PRIVATE, 1);
        m.core.wbinvd(0);
        dirty(m, 0, 5 * PAGE, SHARED, 2);
        dirty(m, 0, 9 * GIB, SHARED, 3);
        dirty(m, 1, 5 * PAGE + LINE, SHARED, 4);
        const evicted = [m.core.evictSome(0, 1), m.core.evictSome(1, 5), m.core.evictSome(0, 5)];
        m.core[reset]();
        return [evicted, ...[0, 5 * PAGE, 5 * PAGE + LINE, 9 * GIB].map((pa) => state(m, pa)), m.core.counters().wbinvdLines];
      });
    }
  });

  it('costs the same however much is dirty', () => {
    const core = createCore({ ...new Machine(CORE).core.config });
    const pages = 4096;
    core.movdir64bFill(0, 0, pages * 64, PRIVATE, 0n);
    for (let i = 0; i < pages; i++) core.store(0, i * PAGE, 8, PRIVATE);
    const before = core.memoryUsed();
    core.wbinvd(0);
    expect(core.memoryUsed()).toBe(before);
    // The first look does one page, not all.
    core.inspect(0);
    expect(before - core.memoryUsed()).toBeLessThan(2 * PAGE);
    expect(core.counters().wbinvdLines).toBe(pages);
  });
});
