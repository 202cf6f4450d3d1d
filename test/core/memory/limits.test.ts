/** The end of memory on the core as it is shipped: each case once left a machine that was wrong. */
import { describe, expect, it } from 'vitest';
import { type CoreConfig, compileCore, createCore, type MemoryCore } from '../../../bindings/index.ts';
import { CONFIG, GIB, PRIVATE, PRIVATE2, SHARED, TME } from '../shared/engine.ts';

const MIB = 2 ** 20;
const PAGE = 4096;
const TIB = 2 ** 40;

function limited(maxMemoryBytes: number, knobs: Partial<CoreConfig> = {}): MemoryCore {
  return createCore({ ...CONFIG, ...knobs }, compileCore(), { maxMemoryBytes });
}

/** Did it run out of memory? */
function runsOut(act: () => void): boolean {
  try {
    act();
  } catch (error) {
    expect(error).toMatchObject({ code: 'OUT_OF_MEMORY' });
    return true;
  }
  return false;
}

/** How often `act` can be done before memory runs out. */
function roundsOf(act: (round: number) => void): number {
  for (let round = 0; round < 1e6; round++) if (runsOut(() => act(round))) return round;
  throw new Error('it does not run out');
}

/** Takes all that buffers can take. */
function eat(core: MemoryCore): void {
  for (let size = 4 * MIB; size >= 64; size /= 2) while (!runsOut(() => core.buffer(size)));
}

const page = (byte: number, pages = 1): Uint8Array => new Uint8Array(pages * PAGE).fill(byte);

/** First bytes of consecutive pages, cached or in DRAM, each value once, in order. Looking takes no memory. */
function firstBytes(core: MemoryCore, pages: number): number[] {
  const seen: number[] = [];
  for (let i = 0; i < pages; i++) {
    const [byte] = core.cachedCopies(GIB + i * PAGE)[0]?.data ?? core.plaintext(GIB + i * PAGE);
    if (byte !== seen.at(-1)) seen.push(byte!);
  }
  return seen;
}

describe('out of memory', () => {
  it('every page that was written is there', () => {
    const core = limited(4 * MIB);
    const written = roundsOf((i) => core.write(0, i * PAGE, TME, page(5)));
    expect(written).toBeGreaterThan(100);
    const out = page(0);
    for (let i = 0; i < written; i++) {
      expect(core.read(0, i * PAGE, TME, out)).toBe(0);
      expect(Buffer.compare(out, page(5))).toBe(0);
    }
    core.coldReset();
    expect(core.write(0, 0, TME, page(5))).toBe(0);
  });

  it.each([
    ['write', (core: MemoryCore, bytes: Uint8Array) => core.write(0, GIB, PRIVATE, bytes)],
    ['MOVDIR64B', (core: MemoryCore, bytes: Uint8Array) => core.directWrite('movdir64b', 0, GIB, PRIVATE, bytes)],
  ])('a %s of more than fits leaves no line without bytes', (_name, write) => {
    const core = limited(24 * MIB);
    // The bytes of another TD, in pages that are free again.
    core.directWrite('movdir64b', 0, 4 * GIB, PRIVATE2, page(0x53, 2048));
    core.movdir64bFill(0, 4 * GIB, (2048 * PAGE) / 64, PRIVATE2, 0n);
    core.movdir64bFill(0, GIB, (64 * MIB) / 64, PRIVATE, 0xaaaaaaaaaaaaaaaan);
    expect(runsOut(() => write(core, page(0xbb, 64 * 256)))).toBe(true);
    expect(firstBytes(core, 64 * 256)).toEqual([0xbb, 0xaa]);
  });

  it('a fill frees the pages that it replaces', () => {
    const core = limited(4 * MIB);
    const rounds = roundsOf((i) => core.directWrite('movdir64b', 0, GIB + i * PAGE, PRIVATE, page(7)));
    for (let i = 0; i < rounds; i++) core.movdir64bFill(0, GIB + i * PAGE, 64, PRIVATE, 0n);
    expect(roundsOf((i) => core.directWrite('movdir64b', 0, GIB + i * PAGE, PRIVATE, page(8)))).toBe(rounds);
  });

  it('a fill that does not end has logged what it displaced, and the next one logs its own', () => {
    const core = limited(8 * MIB);
    core.movdir64bFill(0, 0, 64, PRIVATE, 1n);
    eat(core);
    let start = 0;
    roundsOf((i) => {
      start = (i + 1) * 2 ** 39 - GIB;
      core.setEvent(100 + i);
      core.movdir64bFill(0, start, (2 * GIB + PAGE) / 64, PRIVATE, BigInt(i + 1));
    });
    const done = [start, start + GIB, start + 2 * GIB].filter((pa) => core.inspect(pa).keyId === PRIVATE);
    expect(done.length).toBeGreaterThan(0);
    for (const pa of done) expect(core.displacements(pa)).toHaveLength(1);
    core.coldReset();
    core.setEvent(9999);
    core.movdir64bFill(0, 32 * TIB, 64, SHARED, 1n);
    expect(core.displacements(start)).toEqual([]);
    expect(core.displacements(32 * TIB)).toMatchObject([{ event: 9999, keyId: SHARED }]);
  });

  it('a buffer as large as the address space is refused, and takes nothing', () => {
    const core = createCore(CONFIG);
    const before = core.memoryUsed();
    for (const rest of [1, 64, 4096, 300_000, 500_000, MIB]) expect(runsOut(() => core.buffer(2 ** 32 - rest))).toBe(true);
    expect(core.memoryUsed()).toBe(before);
    expect(core.write(0, 0, PRIVATE2, page(3))).toBe(0);
  });

  it('a machine without room to power on is an error, whatever it lacks', () => {
    for (let pages = 1; pages < 40; pages++) runsOut(() => limited(pages * 65536));
    expect(runsOut(() => limited(20 * 65536))).toBe(true);
    expect(() => createCore(CONFIG, compileCore(), { maxMemoryBytes: 1000 })).toThrow(
      expect.objectContaining({ code: 'CONFIG' }),
    );
  });
});

describe('a WBINVD that still has to write back', () => {
  /** Sparse dirty lines all over memory: their write-backs need nodes that there is no room for. */
  function pending(knobs: Partial<CoreConfig> = {}): MemoryCore {
    const core = limited(8 * MIB, knobs);
    core.mailbox.u64.fill(7n, 0, 8);
    roundsOf((i) => core.store(0, i * GIB, 64, PRIVATE));
    core.wbinvd(0);
    return core;
  }

  it('does not keep the counters from being read', () => {
    const core = pending();
    expect(runsOut(() => core.forEachRun(0, 64 * TIB, () => {}))).toBe(true);
    const { controllerReads } = core.counters();
    expect(controllerReads).toBeGreaterThan(100);
  });

  it('is forgotten by a cold reset, and its memory is there again', () => {
    const core = pending();
    for (let i = 0; i < 3; i++) {
      core.coldReset();
      for (let copies = 0; copies < 2; copies++) core.store(copies, 0, 8, TME);
      expect([core.evictSome(0, 5), core.evictSome(1, 5)]).toEqual([0, 1]);
      expect(core.inspect(GIB)).toMatchObject({ keyId: TME, poison: false, writer: 0 });
      const before = core.memoryUsed();
      const rounds = roundsOf((round) => core.store(0, round * GIB, 64, PRIVATE));
      core.wbinvd(0);
      expect(rounds).toBeGreaterThan(100);
      expect(before).toBeLessThan(2 * MIB);
    }
  });

  it('in a bounded cache: the next miss does it, and a cold reset forgets it', () => {
    const core = limited(8 * MIB, { cacheSets: 4096, cacheWays: 4 });
    core.mailbox.u64.fill(7n, 0, 8);
    const rounds = roundsOf((i) => core.store(0, i * (GIB + 64), 64, PRIVATE));
    expect(rounds).toBeGreaterThan(100);
    core.wbinvd(0);
    expect(core.evictSome(0, 1)).toBe(0);
    core.coldReset();
    expect(roundsOf((i) => core.store(0, i * (GIB + 64), 64, PRIVATE))).toBeGreaterThan(rounds / 2);
  });
});

describe('key instances', () => {
  it('run out only when lines need them, and say so', () => {
    const core = createCore({ ...CONFIG, packages: 1, homes: [], provenance: false });
    const line = (i: number): void => {
      core.programKey(0, SHARED, 'no-encrypt');
      core.movdir64b(0, i * 64, SHARED);
    };
    let i = 0;
    // Twice as many as live: a collection that waits for the double would come too late.
    for (; i < 2 ** 19 + 64; i++) line(i);
    const reused = (): void => {
      for (let n = 0; n < 2 ** 20; n++) {
        core.programKey(0, SHARED + 1, 'no-encrypt');
        core.movdir64b(0, 2 ** 40, SHARED + 1);
      }
    };
    reused();
    expect(() => {
      for (; i < 2 ** 20; i++) line(i);
    }).toThrow(/different keys/);
    expect(core.inspect(0).generation).toBe(1);
    core.coldReset();
    core.programKey(0, SHARED, 'random');
    core.movdir64b(0, 0, SHARED);
    expect(core.inspect(0).generation).toBe(i + 1);
  }, 120_000);
});
