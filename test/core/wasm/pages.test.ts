/** Whole pages and nodes: the paths that lines alone never take, against the eager oracle. */
import { describe, expect, it } from 'vitest';
import type { CoreConfig, MemoryCore } from '../../../bindings/index.ts';
import { createCore } from '../../../bindings/index.ts';
import { EagerCore } from '../../oracle/eager-core.ts';
import { CONFIG, GIB, randomStream } from '../shared/engine.ts';

const PAGE = 4096;
const PAGES = [0x10000, 0x11000, 0x12000, GIB - PAGE, GIB];
const KEY_IDS = [0, 1, 8, 9];
const STEPS = 40;

type Next = (below: number) => number;

/** One step over page-sized ranges; returns all that software can see of it. */
function step(core: MemoryCore, next: Next): unknown {
  const pa = PAGES[next(PAGES.length)]!;
  const keyId = KEY_IDS[next(KEY_IDS.length)]!;
  const pkg = next(2);
  const offset = next(3) === 0 ? next(PAGE / 8) * 8 : 0;
  const length = next(2) === 0 ? PAGE : 8 + next((2 * PAGE) / 8) * 8;
  const value = next(256);
  switch (next(14)) {
    case 0:
    case 1:
      return core.write(
        pkg,
        pa + offset,
        keyId,
        Uint8Array.from({ length }, (_, i) => i * value),
      );
    case 2:
      return core.fill(pkg, pa + offset, length, keyId, BigInt(value));
    case 3:
    case 4: {
      const out = new Uint8Array(length);
      const status = core.read(pkg, pa + offset, keyId, out);
      return [status, Buffer.from(out).toString('hex')];
    }
    case 5:
    case 6:
      return core.movdir64bFill(pkg, pa, 1 + next(128), keyId, BigInt(value & 1));
    case 7:
      return core.movdir64bCopy(pkg, pa, keyId, PAGES[next(PAGES.length)]!, KEY_IDS[next(KEY_IDS.length)]!, 64);
    case 8:
      return core.clflush(pa, 64 + next(64), keyId);
    case 9:
    case 10:
      return core.wbinvd(pkg);
    case 11:
      return core.wbnoinvd(pkg);
    case 12:
      return core.evictSome(pkg, 1 + next(40));
    default:
      return core.programKey(pkg, 8 + next(2), 'random');
  }
}

function view(core: MemoryCore): unknown[] {
  const seen: unknown[] = [];
  for (const pa of PAGES) {
    core.forEachRun(pa, 2 * PAGE, (at, lines, state) => seen.push([at, lines, state]));
    const copies: number[][] = [];
    core.forEachCached(pa, PAGE, (at, copy) =>
      copies.push([at, copy.keyId, copy.package, +copy.dirty, +copy.poison, copy.writer]),
    );
    seen.push(copies.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!));
    for (let line = pa; line < pa + PAGE; line += 640) seen.push(core.inspect(line), core.displacements(line));
  }
  return seen;
}

function compare(seed: number, overrides: Partial<CoreConfig>): void {
  const config = { ...CONFIG, ...overrides };
  const cores = [new EagerCore(config), createCore(config)] as const;
  const streams = cores.map(() => randomStream(seed));
  for (let i = 0; i < STEPS; i++) {
    const [expected, actual] = cores.map((core, c) => {
      core.setEvent(i + 1);
      return step(core, (below) => streams[c]!() % below);
    });
    expect(actual, `seed ${seed}, step ${i}`).toEqual(expected);
  }
  expect(view(cores[1]), `seed ${seed}`).toEqual(view(cores[0]));
}

const WORLDS: Record<string, Partial<CoreConfig>> = {
  'unbounded caches': {},
  'unbounded caches, Li': { integrity: 'Li' },
  'shared integrity, MAC first': { sharedIntegrity: true, checkOrder: 'mac-first' },
  'eager crypto': { crypto: 'eager' },
  'a small random cache': { cacheSets: 16, cacheWays: 4, cachePolicy: 'random' },
  'a small LRU cache': { cacheSets: 8, cacheWays: 2, cachePolicy: 'lru' },
  'faulting unprogrammed keys': { unprogrammedKey: 'fault' },
};

describe('whole pages answer as the eager oracle does', () => {
  for (const [name, overrides] of Object.entries(WORLDS)) {
    it(name, () => {
      for (let seed = 1; seed <= 25; seed++) compare(seed, overrides);
    });
  }
});
