/** The operations of a random program: each runs on one core and returns everything that software or a probe could see of it. */

import type { DirectStore, DramLine, MemoryCore } from '../../../bindings/memory-core.ts';
import { bytesOf, LINE } from './engine.ts';
import { LINES, NATURAL_KEYID, TABLE_KEYID } from './world.ts';

/** One observation: comparable field by field. */
export type Answer = readonly unknown[];

/** A core with what the program remembers of it. */
export interface Run {
  readonly core: MemoryCore;
  /** Lines that an attacker captured so far. */
  readonly captured: DramLine[];
}

interface Operands {
  readonly pa: number;
  readonly pkg: number;
  readonly keyId: number;
  readonly x: number;
  readonly y: number;
}

type Op = (run: Run, operands: Operands) => Answer;

const LENGTHS = [1, 4, 8, 8, 16, 32, 64, 64, 64, 128, 100, 192, 256, 63, 65, 2];
const DIRECT: DirectStore[] = ['nt-store', 'uc-store', 'dma'];
const KEY_MODES = ['random', 'random', 'random', 'direct', 'direct', 'clear', 'no-encrypt'] as const;
const FLIPS = ['data', 'mac', 'td-bit', 'poison'] as const;

const TABLES = 0x800000;
const TABLE_LEVELS = 4;
const tableOf = (level: number): number => TABLES + level * 4096;

/** What a table entry may hold: FREE, the next table, leaves with various rights, a misconfiguration. */
function entryFor(level: number, choice: number): bigint {
  const next = level === 0 ? 0x900000n | 0xf7n : BigInt(tableOf(level - 1)) | 0x7n;
  return [0x80e0000000000000n, next, next, next, 0x40000000n | 0xf7n, 0x40000000n | 0xf1n, 0x40000000n | 0xf2n, 0n][choice % 8];
}

const PAGE = 4096;
const PAGE_LINES = PAGE / LINE;
const pageOf = (pa: number): number => pa - (pa % PAGE);

const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

function fault({ core }: Run): Answer {
  const { pa, keyId, check, macWouldFire, tdBitWouldFire, poisonedBy, storedKeyId, storedTdBit, writer } = core.fault;
  return ['poison', pa, keyId, check, macWouldFire, tdBitWouldFire, poisonedBy, storedKeyId, storedTdBit, writer];
}

/** Loaded bytes; those before the poisoned line where one stopped the load. */
function loaded(run: Run, status: number, pa: number, bytes: Uint8Array): Answer {
  if (status === 0) return [hex(bytes)];
  return [...fault(run), hex(bytes.subarray(0, Math.max(0, run.core.fault.pa - pa)))];
}

function capture(run: Run, pa: number): Answer {
  const line = run.core.capture(pa);
  run.captured.push(line);
  return [hex(line.ciphertext), line.mac, line.tdBit, line.poison];
}

function inspect({ core }: Run, pa: number): Answer {
  const { tdBit, poison, keyId, generation, homePackage, writer, tampered } = core.inspect(pa);
  return [tdBit, poison, keyId, generation, homePackage, writer, tampered];
}

function copies({ core }: Run, pa: number): Answer {
  const sorted = core.cachedCopies(pa).sort((a, b) => a.package - b.package || a.keyId - b.keyId);
  return sorted.flatMap((c) => [c.package, c.keyId, c.dirty, c.poison, c.writer, hex(c.data)]);
}

function displacements({ core }: Run, pa: number): Answer {
  return core
    .displacements(pa)
    .flatMap((d) => [d.pa, d.cause, d.event, d.keyId, d.tdBit, d.writer, d.displacedKeyId, d.displacedTdBit, d.displacedWriter]);
}

function runs({ core }: Run, pa: number, length: number): Answer {
  const seen: unknown[] = [];
  core.forEachRun(pa, length, (first, lines, s) =>
    seen.push(first, lines, s.keyId, s.generation, s.tdBit, s.poison, s.writer, s.tampered),
  );
  return seen;
}

function cached({ core }: Run, pa: number, length: number): Answer {
  const seen: string[] = [];
  core.forEachCached(pa, length, (at, c) => seen.push([at, c.package, c.keyId, c.dirty, c.poison, c.writer, hex(c.data)].join()));
  return seen.sort();
}

function replay(run: Run, pa: number, x: number): Answer {
  if (run.captured.length === 0) return [];
  run.core.replay(pa, run.captured[run.captured.length - 1 - (x % run.captured.length)]);
  return [];
}

function flip({ core }: Run, pa: number, x: number, y: number): Answer {
  const what = FLIPS[y % 4];
  core.flip(pa, what, { data: x, mac: x % core.config.macBits, 'td-bit': 0, poison: 0 }[what]);
  return [];
}

function walk(run: Run, { pkg, x, y }: Operands): Answer {
  const { core } = run;
  const gpa = (x & 3) * 2 ** 12 + ((x >> 2) & 1) * 2 ** 21 + ((x >> 3) & 1) * 2 ** 30;
  const status = core.septWalk(y & 1, 0, pkg, gpa, (y & 2) !== 0);
  if (status === 3) return fault(run);
  return status === 0 ? [status, core.walkHpa, core.walkEntry, core.walkLevel] : [status, core.walkEntry, core.walkLevel];
}

export function prepareTables({ core }: Run, pkg: number): Answer {
  for (let level = 0; level < TABLE_LEVELS; ++level) core.movdir64bFill(pkg, tableOf(level), 1, TABLE_KEYID, entryFor(level, 1));
  for (const lp of [0, 1]) {
    core.septSetRoot(lp, 0, tableOf(TABLE_LEVELS - 1), TABLE_KEYID, TABLE_LEVELS);
    core.invept(lp);
  }
  return [];
}

function setEntry({ core }: Run, { pkg, x, y }: Operands): Answer {
  const level = x % TABLE_LEVELS;
  return [core.fill(pkg, tableOf(level) + ((x >> 2) & 3) * 8, 8, TABLE_KEYID, entryFor(level, y))];
}

/** `x` mod 64 is the offset in the line, `y` chooses a length. */
const within = (x: number): number => x % LINE;
const pattern = (x: number): bigint => BigInt(x & 0xff) * 0x0101010101010101n;

function fillMailbox({ core }: Run, tag: number, length: number): void {
  core.mailbox.u8.set(bytesOf(tag, length));
}

const OPS = {
  load: (run, { pa, pkg, keyId, x, y }) => {
    const at = pa + within(x);
    const status = run.core.load(pkg, at, LENGTHS[y], keyId);
    return loaded(run, status, at, run.core.mailbox.u8.slice(0, LENGTHS[y]));
  },
  store: (run, { pa, pkg, keyId, x, y }) => {
    fillMailbox(run, x, LENGTHS[y]);
    return [run.core.store(pkg, pa + within(x), LENGTHS[y], keyId)];
  },
  read: (run, { pa, pkg, keyId, x, y }) => {
    const out = new Uint8Array(LENGTHS[y]);
    return loaded(run, run.core.read(pkg, pa + within(x), keyId, out), pa + within(x), out);
  },
  write: (run, { pa, pkg, keyId, x, y }) => [run.core.write(pkg, pa + within(x), keyId, bytesOf(x, LENGTHS[y]))],
  fill: (run, { pa, pkg, keyId, x, y }) => [run.core.fill(pkg, pa + (within(x) & 0x38), 8 * (1 + y), keyId, pattern(x))],
  speculate: (run, { pa, pkg, keyId }) => {
    run.core.speculate(pkg, pa, keyId);
    return [];
  },
  exchange64: (run, { pa, pkg, keyId, x, y }) => {
    const expected = y < 8 ? 0n : pattern(x & 1);
    const old = run.core.exchange64(pkg, pa + (within(x) & 0x38), keyId, expected, pattern(x & 3));
    return old === null ? fault(run) : [old];
  },
  movdir64b: (run, { pa, pkg, keyId, x }) => {
    fillMailbox(run, x, LINE);
    run.core.movdir64b(pkg, pa, keyId);
    return [];
  },
  movdir64bFill: (run, { pa, pkg, keyId, x, y }) => {
    run.core.movdir64bFill(pkg, pa, 1 + (y & 3), keyId, pattern(x & 1));
    return [];
  },
  movdir64bCopy: (run, { pa, pkg, keyId, x, y }) => {
    const source = x % LINES.length;
    const status = run.core.movdir64bCopy(pkg, pa, keyId, LINES[source], keyIdOf((x >> 4) % 10, source), 1 + (y & 1));
    return status === 0 ? [] : fault(run);
  },
  directStore: (run, { pa, pkg, keyId, x, y }) => {
    fillMailbox(run, x, LENGTHS[y]);
    const offset = LENGTHS[y] === LINE ? 0 : within(x);
    return [run.core.directStore(DIRECT[x % 3], pkg, pa + offset, LENGTHS[y], keyId)];
  },
  dmaRead: (run, { pa, keyId, x, y }) => {
    const at = pa + within(x);
    const status = run.core.dmaRead(at, LENGTHS[y], keyId);
    return loaded(run, status, at, run.core.mailbox.u8.slice(0, LENGTHS[y]));
  },
  directWrite: (run, { pa, pkg, keyId, x, y }) => {
    const whole = y >= 12;
    const bytes = bytesOf(x, whole ? LINE * (1 + (y & 3)) : LENGTHS[y]);
    const kind = whole ? 'movdir64b' : DIRECT[x % 3];
    return [run.core.directWrite(kind, pkg, whole ? pa : pa + within(x), keyId, bytes)];
  },
  dmaReadInto: (run, { pa, keyId, x, y }) => {
    const out = new Uint8Array(LENGTHS[y]);
    return loaded(run, run.core.dmaReadInto(pa + within(x), keyId, out), pa + within(x), out);
  },
  check: (run, { pa, keyId, x, y }) => (run.core.check(pa + within(x), 1 + 8 * x * (y & 1), keyId) === 0 ? [] : fault(run)),
  clflush: (run, { pa, keyId, y }) => {
    run.core.clflush(pa, 1 + (y & 1), keyId);
    return [];
  },
  wbinvd: (run, { pkg }) => {
    run.core.wbinvd(pkg);
    return [];
  },
  wbnoinvd: (run, { pkg }) => {
    run.core.wbnoinvd(pkg);
    return [];
  },
  evict: (run, { pa, pkg, keyId }) => [run.core.evict(pkg, pa, keyId)],
  evictSome: (run, { pkg, y }) => [run.core.evictSome(pkg, 1 + (y & 3))],
  programKey: (run, { pkg, keyId, x, y }) => {
    const direct = bytesOf(x & 1, 64);
    run.core.mailbox.u8.set(direct);
    run.core.programKey(pkg, keyId || 1, KEY_MODES[y % KEY_MODES.length]);
    return [];
  },
  capture: (run, { pa }) => capture(run, pa),
  replay: (run, { pa, x }) => replay(run, pa, x),
  forge: (run, { pa, x, y }) => {
    run.core.replay(pa, { ciphertext: bytesOf(x), mac: y, tdBit: (x & 1) !== 0, poison: (x & 30) === 0 });
    return [];
  },
  flip: (run, { pa, x, y }) => flip(run, pa, x, y),
  inspect: (run, { pa }) => inspect(run, pa),
  cachedCopies: (run, { pa }) => copies(run, pa),
  displacements: (run, { pa }) => displacements(run, pa),
  forEachRun: (run, { pa, y }) => runs(run, pa, LINE * (1 + y)),
  forEachCached: (run, { pa, y }) => cached(run, pa, LINE * (1 + y)),
  plaintext: (run, { pa }) => [hex(run.core.plaintext(pa))],
  nextNonZero: (run, { pa, x }) => [run.core.nextNonZero(pa - within(x), pa + 8 * x)],
  pageFill: (run, { pa, pkg, keyId, x, y }) => {
    run.core.movdir64bFill(pkg, pageOf(pa), PAGE_LINES * (1 + (y & 1)), keyId, pattern(x & 1));
    return [];
  },
  pageCopy: (run, { pa, pkg, keyId, x }) => {
    const source = x % LINES.length;
    const status = run.core.movdir64bCopy(
      pkg,
      pageOf(pa),
      keyId,
      pageOf(LINES[source]),
      keyIdOf((x >> 4) % 10, source),
      PAGE_LINES,
    );
    return status === 0 ? [] : fault(run);
  },
  pageWrite: (run, { pa, pkg, keyId, x, y }) => [run.core.write(pkg, pageOf(pa), keyId, bytesOf(x, PAGE * (1 + (y & 1))))],
  pageRead: (run, { pa, pkg, keyId, y }) => {
    const out = new Uint8Array(PAGE * (1 + (y & 1)));
    return loaded(run, run.core.read(pkg, pageOf(pa), keyId, out), pageOf(pa), out);
  },
  pageDirect: (run, { pa, pkg, keyId, x, y }) => {
    const kind = (['movdir64b', ...DIRECT] as const)[y & 3];
    return [run.core.directWrite(kind, pkg, pageOf(pa), keyId, bytesOf(x, PAGE * (1 + (y & 1))))];
  },
  pageDma: (run, { pa, keyId, y }) => {
    const out = new Uint8Array(PAGE * (1 + (y & 1)));
    return loaded(run, run.core.dmaReadInto(pageOf(pa), keyId, out), pageOf(pa), out);
  },
  pageCheck: (run, { pa, keyId, y }) => (run.core.check(pageOf(pa), PAGE * (1 + (y & 1)), keyId) === 0 ? [] : fault(run)),
  pageFlush: (run, { pa, keyId }) => {
    run.core.clflush(pageOf(pa), PAGE_LINES, keyId);
    return [];
  },
  septPrepare: (run, { pkg }) => prepareTables(run, pkg),
  septEntry: (run, operands) => setEntry(run, operands),
  septWalk: (run, operands) => walk(run, operands),
  septDamage: (run, { x, y }) => {
    run.core.flip(tableOf(x % TABLE_LEVELS), y < 8 ? 'poison' : 'td-bit');
    return [];
  },
  invept: (run, { y }) => {
    run.core.invept(y & 1);
    return [];
  },
  coldReset: (run) => {
    run.core.coldReset();
    return [...prepareTables(run, 0)];
  },
  warmReset: (run) => {
    run.core.warmReset();
    return [...prepareTables(run, 0)];
  },
} satisfies Record<string, Op>;

export type OpName = keyof typeof OPS;

/** `keyId` 0..4, or 5 and above for the line's natural one; `x` and `y` mean what the operation says. */
export type Step = readonly [op: OpName, line: number, pkg: number, keyId: number, x: number, y: number];

/** How often an operation comes up; one that is not listed comes up once. */
const WEIGHTS: Partial<Record<OpName, number>> = {
  load: 10,
  store: 10,
  speculate: 3,
  exchange64: 2,
  movdir64b: 8,
  movdir64bFill: 3,
  movdir64bCopy: 3,
  directStore: 8,
  directWrite: 3,
  check: 3,
  dmaRead: 3,
  clflush: 4,
  wbinvd: 2,
  evict: 4,
  evictSome: 3,
  programKey: 4,
  capture: 3,
  replay: 3,
  flip: 3,
  septEntry: 3,
  septWalk: 4,
};

export const OP_NAMES = (Object.keys(OPS) as OpName[]).flatMap((name) => new Array<OpName>(WEIGHTS[name] ?? 1).fill(name));

function keyIdOf(choice: number, line: number): number {
  return choice < TABLE_KEYID ? choice : NATURAL_KEYID[line];
}

export function runStep(run: Run, [name, line, pkg, keyId, x, y]: Step): Answer {
  const op: Op = OPS[name];
  return op(run, { pa: LINES[line], pkg, keyId: keyIdOf(keyId, line), x, y });
}

/** Everything that can be seen of a line at the end. */
export function epitaph(run: Run, pa: number): Answer {
  return [...copies(run, pa), '|', ...inspect(run, pa), '|', ...capture(run, pa), '|', ...displacements(run, pa)];
}

/** The state of whole pages at the end, and of those behind them, which ranges of two pages reach. */
export function pageEpitaph(run: Run): Answer {
  const pages = [...new Set(LINES.flatMap((pa) => [pageOf(pa), pageOf(pa) + PAGE]))];
  return pages.flatMap((page) => [
    ...runs(run, page, PAGE),
    '|',
    ...cached(run, page, PAGE),
    '|',
    run.core.nextNonZero(page, page + PAGE),
    '|',
  ]);
}

/** What is cached of the page tables. */
export function cachedTables(run: Run): Answer {
  return cached(run, TABLES, TABLE_LEVELS * PAGE);
}

/** Counters that the law itself defines. */
const COUNTED = [
  'tdBitChecks',
  'tdBitMismatches',
  'macChecks',
  'macMismatches',
  'poisonCreated',
  'poisonConsumed',
  'poisonSilent',
];

export function tally({ core }: Run): Answer {
  const counters = core.counters();
  return COUNTED.map((name) => `${name} ${counters[name]}`);
}
