/** Tests that coverage and mutants of assembly/ asked for: what each group pins down was changed or left out, and no other test minded. */
import { describe, expect, it } from 'vitest';
import type { CoreBuffer, CoreConfig, DirectWrite, MemoryCore } from '../../bindings/index.ts';
import { createCore } from '../../bindings/index.ts';
import { EagerCore } from '../oracle/eager-core.ts';
import { lineMac, macKey } from '../oracle/line-crypto.ts';
import {
  bytesOf,
  CONFIG,
  type Engine,
  GIB,
  LINE,
  Machine,
  PRIVATE,
  PRIVATE2,
  randomStream,
  SHARED,
  TME,
} from './shared/engine.ts';

const PAGE = 4096;
/** Three pages on each side of a border between homes. */
const FIRST = GIB - 3 * PAGE;
const PAGES = 6;
const END = FIRST + PAGES * PAGE;
const KEY_IDS = [TME, SHARED, PRIVATE, PRIVATE2];
const KINDS: readonly DirectWrite[] = ['nt-store', 'uc-store', 'dma', 'movdir64b'];
const CI: Partial<CoreConfig> = { integrity: 'Ci', sharedIntegrity: true };

/** A place in the machine: where the bytes of a range operation lie. */
type Place = (core: MemoryCore, length: number) => CoreBuffer;
const PLACES: Record<string, Place> = {
  'a JavaScript array': (_, length) => ({ u8: new Uint8Array(length) }),
  'a buffer of the core': (core, length) => core.buffer(length),
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function fault({ fault }: MemoryCore): unknown {
  const { pa, keyId, check, macWouldFire, tdBitWouldFire, poisonedBy, storedKeyId, storedTdBit, writer } = fault;
  return [pa, keyId, check, macWouldFire, tdBitWouldFire, poisonedBy, storedKeyId, storedTdBit, writer];
}

interface Range {
  readonly pa: number;
  readonly length: number;
  readonly keyId: number;
  readonly pkg: number;
  readonly value: number;
}

type Act = (core: MemoryCore, range: Range, place: Place) => unknown;

function taken(core: MemoryCore, status: number, pa: number, { u8: out }: CoreBuffer): unknown {
  if (status === 0) return hex(out);
  return [fault(core), hex(out.subarray(0, Math.max(0, core.fault.pa - pa)))];
}

function given(core: MemoryCore, place: Place, value: number, length: number): Uint8Array {
  const { u8 } = place(core, length);
  u8.set(bytesOf(value, length));
  return u8;
}

const whole = (length: number): number => length - (length % LINE);
const lineOf = (pa: number): number => pa - (pa % LINE);

const ACTS: readonly Act[] = [
  (core, { pa, length, keyId, pkg, value }, place) => {
    const kind = KINDS[value % 3]!;
    return core.directWrite(kind, pkg, pa, keyId, given(core, place, value, length));
  },
  (core, { pa, length, keyId, pkg, value }, place) =>
    core.directWrite('movdir64b', pkg, lineOf(pa), keyId, given(core, place, value, whole(length))),
  (core, { pa, length, keyId }, place) => {
    const out = place(core, length);
    return taken(core, core.dmaReadInto(pa, keyId, out.u8), pa, out);
  },
  (core, { pa, length, keyId }) => (core.check(pa, length, keyId) === 0 ? 0 : fault(core)),
  (core, { pa, length, keyId, pkg, value }, place) => core.write(pkg, pa, keyId, given(core, place, value, length)),
  (core, { pa, length, keyId, pkg }, place) => {
    const out = place(core, length);
    return taken(core, core.read(pkg, pa, keyId, out.u8), pa, out);
  },
  (core, { pa, length, keyId, pkg, value }) =>
    core.fill(pkg, pa - (pa % 8), length - (length % 8), keyId, BigInt(value % 3) * 0x0101010101010101n),
  (core, { pa, keyId, pkg, value }) =>
    core.movdir64bFill(pkg, pa - (pa % PAGE), 64 * (1 + (value % 2)), keyId, BigInt(value % 3) * 0x0101010101010101n),
  (core, { pkg }) => core.wbinvd(pkg),
  (core, { pkg }) => core.wbnoinvd(pkg),
  (core, { pa, length, keyId }) => core.clflush(lineOf(pa), length >> 6, keyId),
  (core, { pa, keyId, value }) => core.programKey(pa >= GIB ? 1 : 0, keyId || SHARED, value % 4 === 0 ? 'clear' : 'random'),
  (core, { pa, value }) => core.flip(lineOf(pa), value % 2 === 0 ? 'poison' : 'data', value % 2 === 0 ? 0 : value),
];

/** How often each of them comes up. */
const DICE = [0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9, 10, 11, 12];

function draw(next: (below: number) => number): { act: Act; range: Range } {
  const page = FIRST + next(PAGES) * PAGE;
  const pa = page + [0, 0, 0, 64 * next(64), next(PAGE)][next(5)]!;
  const length = [PAGE, PAGE, 2 * PAGE, 4 * PAGE, 600 + next(PAGE), 64 * next(128), next(200)][next(7)]!;
  const range = { pa, length: Math.min(length, END - pa), keyId: KEY_IDS[next(4)]!, pkg: next(2), value: next(256) };
  return { act: ACTS[DICE[next(DICE.length)]!]!, range };
}

/** All that can be seen of the pages. */
function remains(core: MemoryCore): unknown {
  const seen: unknown[] = [];
  for (let pa = FIRST; pa < END; pa += LINE) {
    const copies = core.cachedCopies(pa).sort((a, b) => a.package - b.package || a.keyId - b.keyId);
    const { tdBit, poison, keyId, generation, writer, tampered } = core.inspect(pa);
    const held = copies.map((c) => [c.package, c.keyId, c.dirty, c.poison, c.writer, hex(c.data)].join());
    seen.push([pa, tdBit, poison, keyId, generation, writer, tampered, hex(core.plaintext(pa)), ...held].join(' '));
  }
  return seen;
}

describe('ranges answer as the eager oracle does, wherever the bytes lie', () => {
  it.each(
    Object.keys(PLACES).flatMap((place) =>
      (
        [
          CI,
          { ...CI, provenance: false },
          { integrity: 'Li' },
          { ...CI, crypto: 'eager' },
          { ...CI, cacheSets: 4, cacheWays: 2 },
        ] as const
      ).map((knobs, i) => ({ place, knobs: knobs as Partial<CoreConfig>, seed: 10 * place.length + i })),
    ),
  )('$place, seed $seed', ({ place, knobs, seed }) => {
    const config = { ...CONFIG, ...knobs };
    const [core, oracle] = [createCore(config), new EagerCore(config)];
    const random = randomStream(seed);
    const next = (below: number): number => random() % below;
    for (let step = 1; step <= 60; step++) {
      const { act, range } = draw(next);
      const answers = [core, oracle].map((one) => {
        one.setEvent(knobs.provenance === false ? 0 : step);
        return act(one, range, PLACES[place]!);
      });
      expect(answers[0], `step ${step}, ${JSON.stringify(range)}`).toEqual(answers[1]);
    }
    expect(remains(core)).toEqual(remains(oracle));
  });
});

const engines: readonly Engine[] = [
  { name: 'oracle', create: (config) => new EagerCore(config) },
  { name: 'core', create: (config) => createCore(config) },
];

describe.each(engines)('one line of many: $name', (engine) => {
  it('a line that a package does not hold is not evicted, whatever else of the page it holds', () => {
    const { core } = new Machine(engine).programAll();
    for (const line of [0, 5]) core.store(0, line * LINE, 8, TME);
    expect([5, 6, 0, 1].map((line) => core.evict(0, line * LINE, TME))).toEqual([true, false, true, false]);
    expect([0, 5].map((line) => core.evict(1, line * LINE, TME))).toEqual([false, false]);
  });

  it('evictions by rank empty page after page, and none twice', () => {
    const { core } = new Machine(engine, { cacheSets: 0 }).programAll();
    const held = [0, 1, 2].flatMap((page) => [0, 7, 63].map((line) => page * PAGE + line * LINE));
    for (const pa of held) {
      core.store(0, pa, 8, TME);
      core.store(0, pa, 8, SHARED);
    }
    for (let left = 2 * held.length; left > 0; left--) {
      expect(core.evictSome(0, 1)).toBe(1);
      expect(held.flatMap((pa) => core.cachedCopies(pa))).toHaveLength(left - 1);
    }
    expect(core.evictSome(0, 1)).toBe(0);
  });
});

describe.each(engines)('caches after a reset: $name', (engine) => {
  it.each([
    ['coldReset', 0],
    ['coldReset', 4],
    ['warmReset', 0],
    ['warmReset', 4],
  ] as const)('%s, %i sets: empty, and what comes then is all that is evicted', (reset, cacheSets) => {
    const { core } = new Machine(engine, { cacheSets, cacheWays: 4 }).programAll();
    const spread = [0, LINE, 3 * PAGE, GIB + PAGE, 2 ** 40];
    for (const pkg of [0, 1]) for (const pa of spread) core.store(pkg, pa + pkg * 2 * LINE, 8, TME);
    core[reset]();
    expect(spread.flatMap((pa) => [...core.cachedCopies(pa), ...core.cachedCopies(pa + 2 * LINE)])).toEqual([]);
    expect([core.evictSome(0, 5), core.evictSome(1, 5)]).toEqual([0, 0]);
    for (const pa of spread.slice(0, 3)) core.store(1, pa, 8, TME);
    expect([core.evictSome(0, 9), core.evictSome(1, 2), core.evictSome(1, 9)]).toEqual([0, 2, 1]);
  });
});

describe('keys that come and go by the thousands', () => {
  const SCRATCH = 2 ** 35;
  const MODES = ['random', 'no-encrypt', 'direct', 'random', 'clear'] as const;
  /** Every so often a line stays behind under the key of the moment: written, dirty in a cache, or behind a WBINVD. */
  function story(engine: Engine, knobs: Partial<CoreConfig>): unknown[] {
    const { core } = new Machine(engine, knobs).programAll();
    const kept: number[] = [];
    const onTheWay: unknown[] = [];
    for (let i = 0; i < 5000; i++) {
      const keyId = [SHARED, PRIVATE, PRIVATE2][i % 3]!;
      core.mailbox.u8.set(bytesOf(i & 0xff));
      core.programKey(i & 1, keyId, MODES[i % 5]!);
      if (i % 97 !== 0) continue;
      const pa = (i & 1) * GIB + i * LINE;
      kept.push(pa);
      core.mailbox.u8.set(bytesOf(i % 251));
      if (i % 4 < 2) core.movdir64b(0, pa, keyId);
      else core.store(0, pa, LINE, keyId);
      if (i % 4 === 3) core.wbinvd(0);
      // A line that changes its key each time: the old ones are free to be used again.
      core.movdir64b(0, SCRATCH, keyId);
      onTheWay.push(core.capture(SCRATCH));
    }
    for (const keyId of [PRIVATE, PRIVATE2]) {
      core.mailbox.u8.set(bytesOf(77));
      core.programKey(0, keyId, 'direct');
    }
    core.movdir64b(0, SCRATCH, PRIVATE);
    onTheWay.push(core.check(SCRATCH, LINE, PRIVATE2), core.inspect(SCRATCH));
    const before = kept.map((pa) => [core.inspect(pa), core.capture(pa), hex(core.plaintext(pa)), core.cachedCopies(pa)]);
    core.warmReset();
    const after = kept.map((pa) => [core.inspect(pa), core.capture(pa), hex(core.plaintext(pa))]);
    return [onTheWay, before, after, kept.map((pa) => core.check(pa, LINE, TME))];
  }

  it.each([
    {},
    { aesBits: 256, integrity: 'Li' },
    { unprogrammedKey: 'fault' },
    { crypto: 'eager', cacheSets: 2, cacheWays: 2 },
  ] as const)('lines know the key that they were written under: %j', (knobs) => {
    const [oracle, core] = engines.map((engine) => story(engine, knobs));
    expect(core).toEqual(oracle);
  });
});

describe('a range over a page that is partly cached', () => {
  type Scene = (machine: Machine) => void;
  const stored: Record<string, Scene> = {
    'one pattern': ({ core }) => core.movdir64bFill(0, 0, 64, PRIVATE, 7n),
    'one pattern and odd lines': (m) => {
      m.core.movdir64bFill(0, 0, 64, PRIVATE, 7n);
      for (const line of [0, 5, 40]) m.put(line * LINE, PRIVATE, bytesOf(line + 1));
    },
    bytes: ({ core }) => core.directWrite('movdir64b', 0, 0, PRIVATE, bytesOf(9, PAGE)),
    'bytes of two events': ({ core }) => {
      core.directWrite('movdir64b', 0, 0, PRIVATE, bytesOf(9, PAGE));
      core.setEvent(2);
      core.directWrite('movdir64b', 0, 20 * LINE, PRIVATE, bytesOf(8, 10 * LINE));
    },
    'bytes and poison': (m) => {
      m.core.directWrite('movdir64b', 0, 0, PRIVATE, bytesOf(9, PAGE));
      m.core.flip(33 * LINE, 'poison');
    },
  };
  const each = (act: (machine: Machine, pa: number) => void, lines: number): Scene => {
    return (machine) => {
      for (let i = 0; i < lines; i++) act(machine, 3 * i * LINE);
    };
  };
  const cached: Record<string, Scene> = {
    nothing: () => {},
    'a line loaded': each((m, pa) => m.load(0, pa, PRIVATE), 2),
    'a line stored': each((m, pa) => m.store(0, pa, PRIVATE, bytesOf(50)), 2),
    'a line stored elsewhere': each((m, pa) => m.store(1, pa, PRIVATE, bytesOf(51)), 2),
    'lines loaded': each((m, pa) => m.load(0, pa, PRIVATE), 20),
    'lines stored': each((m, pa) => m.store(0, pa, PRIVATE, bytesOf(52)), 20),
    'lines stored elsewhere': each((m, pa) => m.store(1, pa, PRIVATE, bytesOf(53)), 20),
    'lines loaded on both sides': each((m, pa) => void [m.load(0, pa, PRIVATE), m.load(1, pa + LINE, PRIVATE)], 20),
    'a pattern': ({ core }) => core.fill(0, 0, PAGE, PRIVATE, 11n),
    'a pattern elsewhere, and a line': (m) => {
      m.core.fill(1, 8 * LINE, 30 * LINE, PRIVATE, 12n);
      m.store(0, 60 * LINE, PRIVATE, bytesOf(54));
    },
  };
  const acts: Record<string, (core: MemoryCore) => unknown> = {
    read: (core) => {
      const out = new Uint8Array(PAGE);
      const status = core.read(0, 0, PRIVATE, out);
      return [status, status === 0 ? hex(out) : fault(core)];
    },
    'read a part': (core) => {
      const out = new Uint8Array(20 * LINE);
      return [core.read(0, 10 * LINE, PRIVATE, out), hex(out)];
    },
    write: (core) => core.write(0, 0, PRIVATE, bytesOf(60, PAGE)),
    'write a part': (core) => core.write(0, 10 * LINE + 8, PRIVATE, bytesOf(61, 40 * LINE)),
    fill: (core) => core.fill(0, 0, PAGE, PRIVATE, 13n),
    'fill a part': (core) => core.fill(0, 10 * LINE, 40 * LINE, PRIVATE, 7n),
    'write past the caches': (core) => core.directWrite('nt-store', 0, 4 * LINE, PRIVATE, bytesOf(62, 50 * LINE)),
    'read past the caches': (core) => {
      const out = new Uint8Array(PAGE);
      const status = core.dmaReadInto(0, PRIVATE, out);
      return [status, status === 0 ? hex(out) : fault(core)];
    },
    check: (core) => core.check(0, PAGE, PRIVATE),
  };

  it.each(Object.keys(stored).flatMap((dram) => Object.keys(cached).map((views) => [dram, views] as const)))(
    'in memory %s, in caches %s',
    (dram, views) => {
      for (const [name, act] of Object.entries(acts)) {
        const [oracle, core] = engines.map((engine) => {
          const machine = new Machine(engine, { cacheSets: 0 }).programAll();
          const { core } = machine;
          core.setEvent(1);
          stored[dram]!(machine);
          core.setEvent(3);
          cached[views]!(machine);
          core.setEvent(4);
          const answer = act(core);
          const held: string[] = [];
          core.forEachCached(0, PAGE, (pa, { package: pkg, dirty, poison, writer, data }) => {
            held.push([pa, pkg, dirty, poison, writer, hex(data)].join());
          });
          held.sort();
          for (const pkg of [0, 1]) core.wbinvd(pkg);
          const left = Array.from({ length: 64 }, (_, line) => [core.inspect(line * LINE), hex(core.plaintext(line * LINE))]);
          return [answer, held, left];
        });
        expect(core, name).toEqual(oracle);
      }
    },
  );
});

describe('a fill over pages that differ', () => {
  /** Page by page: under which KeyID and by which event its lines were written; an odd line in the midst; or as at power-on. */
  const PAGES: readonly (readonly [keyId: number, event: number, odd?: number] | null)[] = [
    [SHARED, 1],
    [SHARED, 1],
    [SHARED, 2],
    [PRIVATE, 2],
    null,
    null,
    [SHARED, 1, PRIVATE],
    [PRIVATE2, 1],
    [PRIVATE, 1],
    [PRIVATE, 1],
    [SHARED, 1],
  ];
  function story(engine: Engine, knobs: Partial<CoreConfig>): unknown[] {
    const machine = new Machine(engine, knobs).programAll();
    const { core } = machine;
    PAGES.forEach((page, i) => {
      if (!page) return;
      const [keyId, event, odd] = page;
      core.setEvent(event);
      core.movdir64bFill(0, GIB + i * PAGE, 64, keyId, 3n);
      if (odd !== undefined) machine.put(GIB + i * PAGE + 9 * LINE, odd, bytesOf(1));
    });
    core.setEvent(9);
    core.movdir64bFill(0, GIB, PAGES.length * 64, PRIVATE2, 5n);
    const lines = PAGES.flatMap((_, i) => [0, 8, 9, 10, 63].map((line) => GIB + i * PAGE + line * LINE));
    return [core.counters().displacements, ...lines.map((pa) => [pa, core.displacements(pa), core.inspect(pa)])];
  }

  it.each([{}, { tdBit: false }, { unprogrammedKey: 'fault' }] as const)('logs of each line what it was: %j', (knobs) => {
    const [oracle, core] = engines.map((engine) => story(engine, knobs));
    expect(core).toEqual(oracle);
  });
});

describe('the log of displacements', () => {
  const KEPT = 65_536;
  const PLACES = [0, 2 * LINE];

  /** Event n displaces the one line or the other: no two make a run. */
  function displaced(count: number): MemoryCore {
    const core = createCore({ ...CONFIG, cacheSets: 0 });
    for (let n = 1; n <= count; n++) {
      core.setEvent(n);
      core.movdir64b(0, PLACES[n % 2]!, (n >> 1) % 2 === 0 ? SHARED : PRIVATE);
    }
    return core;
  }

  it.each([3, 1024, 1025, 5000, KEPT, KEPT + 1, KEPT + 4321])('has the newest 65,536, oldest first: after %i', (count) => {
    const core = displaced(count);
    const kept = Array.from({ length: Math.min(count, KEPT) }, (_, i) => count - Math.min(count, KEPT) + 1 + i);
    for (const [which, pa] of PLACES.entries()) {
      expect(core.displacements(pa).map(({ event }) => event)).toEqual(kept.filter((n) => n % 2 === which));
    }
    expect(core.displacements(LINE)).toEqual([]);
    expect(core.counters().displacements).toBe(count);
  });

  it('takes no more memory once it is full, and is empty after a cold reset', () => {
    const core = displaced(KEPT);
    const full = core.memoryUsed();
    for (let n = 1; n <= 5000; n++) core.movdir64b(0, PLACES[n % 2]!, (n >> 1) % 2 === 0 ? PRIVATE : SHARED);
    expect(core.memoryUsed()).toBe(full);
    core.coldReset();
    expect(core.displacements(0)).toEqual([]);
    core.movdir64b(0, 0, PRIVATE);
    expect(core.displacements(0)).toHaveLength(1);
  });

  it('joins neighbours that are alike into a run, which all of its lines show', () => {
    const core = createCore({ ...CONFIG, cacheSets: 0 });
    core.setEvent(3);
    for (let line = 0; line < 2 * KEPT; line++) core.movdir64b(0, line * LINE, PRIVATE);
    for (const line of [0, 1, KEPT, 2 * KEPT - 1]) {
      expect(core.displacements(line * LINE)).toMatchObject([{ pa: line * LINE, event: 3, keyId: PRIVATE, displacedKeyId: TME }]);
    }
    expect(core.displacements(2 * KEPT * LINE)).toEqual([]);
  });
});

describe.each(engines)('what lies beside a line: $name', (engine) => {
  it('no MAC under a KeyID without integrity, until somebody tampers: then the 0 that was stored', () => {
    const machine = new Machine(engine).programAll();
    machine.put(0, TME, bytesOf(1));
    expect(machine.core.capture(0).mac).toBeNull();
    machine.core.flip(0, 'data', 0);
    expect(machine.core.capture(0).mac).toBe(0);
    machine.core.flip(0, 'mac', 2);
    expect(machine.core.capture(0).mac).toBe(4);
  });

  it('plaintext has a MAC with T0 = 0', () => {
    const machine = new Machine(engine).programAll();
    machine.core.programKey(0, PRIVATE, 'no-encrypt');
    machine.put(0, PRIVATE, bytesOf(3));
    const { ciphertext, mac } = machine.core.capture(0);
    expect(hex(ciphertext)).toBe(hex(bytesOf(3)));
    const full = lineMac(bytesOf(3), new Uint8Array(16), true, macKey(CONFIG.seed));
    expect(mac).toBe((full & (2 ** 28 - 1)) >>> 0);
  });

  it('poison that was flipped away and back has an unknown origin', () => {
    const machine = new Machine(engine).programAll();
    machine.put(0, PRIVATE, bytesOf(1));
    machine.core.setEvent(5);
    expect(machine.load(0, 0, PRIVATE2)).toBeNull();
    expect(machine.core.fault).toMatchObject({ check: 'mac', poisonedBy: 5 });
    machine.core.clflush(0, 1, PRIVATE2);
    for (let i = 0; i < 2; i++) machine.core.flip(0, 'poison');
    expect(machine.dma(0, TME)).toBeNull();
    expect(machine.core.fault).toMatchObject({ check: 'poison', poisonedBy: 0 });
  });
});

describe('what is remembered of single lines is forgotten with them', () => {
  const LINES = 4096;
  const knobs = { ...CONFIG, cacheSets: 0, provenance: false };
  /** Bytes in use after two rounds are those after one. */
  function staysFlat(core: MemoryCore, round: () => void): void {
    round();
    const once = core.memoryUsed();
    for (let i = 0; i < 3; i++) round();
    expect(core.memoryUsed() - once).toBeLessThan(8192);
  }
  /** Others than in the round before, so that what was left over would add up. */
  function everyLine(act: (pa: number) => void, end: (first: number) => void): () => void {
    let first = 0;
    return () => {
      for (let line = 0; line < LINES; line++) act(first + line * LINE);
      end(first);
      first += LINES * LINE;
    };
  }
  /** Each page is one pattern again. */
  const refill = (core: MemoryCore) => (first: number) => {
    for (let line = 0; line < LINES; line += 64) core.movdir64bFill(0, first + line * LINE, 64, TME, 0n);
  };

  it('MACs that were tampered with, once the line is written', () => {
    const core = createCore(knobs);
    staysFlat(
      core,
      everyLine((pa) => {
        core.movdir64b(0, pa, PRIVATE);
        core.flip(pa, 'mac', 1);
        core.movdir64bFill(0, pa, 1, TME, 0n);
      }, refill(core)),
    );
  });

  it('the origin of poison, in DRAM and in a cache', () => {
    const core = createCore(knobs);
    core.programKey(0, PRIVATE, 'random');
    staysFlat(
      core,
      everyLine((pa) => {
        core.movdir64bFill(0, pa, 1, PRIVATE, 1n);
        expect(core.load(0, pa, 8, PRIVATE2)).toBe(1);
        core.clflush(pa, 1, PRIVATE2);
        core.movdir64bFill(0, pa, 1, TME, 0n);
      }, refill(core)),
    );
  });

  it.each(['lazy', 'eager'] as const)('both, with a cold reset: %s', (crypto) => {
    const core = createCore({ ...knobs, crypto });
    const lines = everyLine(
      (pa) => {
        core.movdir64b(0, pa, PRIVATE);
        // Pages of one tag and pages of two, each with either kind of record.
        const isMixed = pa % (4 * PAGE) >= 2 * PAGE && pa % (2 * LINE) === 0;
        if (!isMixed && pa % (2 * PAGE) < PAGE) core.flip(pa, 'mac', 1);
        else core.load(0, pa, 8, isMixed ? PRIVATE : PRIVATE2);
      },
      () => core.coldReset(),
    );
    staysFlat(core, () => {
      core.programKey(0, PRIVATE, 'random');
      lines();
    });
  });
});
