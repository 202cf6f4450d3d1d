/** WBINVD with many dirty lines: what the call costs, and what its write-backs cost whoever looks at DRAM next. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectBytes, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, expectMemory, KEY, machine, OTHER_PACKAGE, onOff, own, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { growthExponent, summarise } from '../harness/statistics.ts';
import { interleave, nanoseconds, sampleCalls } from '../harness/timing.ts';
import { GIB, LINE, PAGE, scramble } from '../harness/workload.ts';

const PA = GIB;
/** Another set of pages, written past the caches, for comparison. */
const PA_DIRECT = 2 * GIB;
const PAGES = 16384;
const WARM_CALLS = 64;

/** 16 K dirty pages in DRAM's way; the first byte tells the rounds apart. */
class DirtyPages {
  readonly core: MemoryCore;
  readonly bytes: Uint8Array;

  constructor(provenance: boolean, pages: number, seed: number) {
    this.core = machine({ provenance });
    this.bytes = scramble(new Uint8Array(pages * PAGE), seed);
    own(this.core, PA, this.bytes.length);
  }

  dirty(): void {
    this.bytes[0] = (this.bytes[0]! + 1) & 0xff;
    this.core.write(PACKAGE, PA, KEY, this.bytes);
  }

  /**
   * Dirty, and the way to WBINVD warm: the other package does it with one dirty line, over and over. Straight behind the writing of 64 MiB any
   * call, even one that only sets the event, takes microseconds to come back into the host's caches.
   */
  dirtyAndWarm(): void {
    this.dirty();
    for (let i = 0; i < WARM_CALLS; i++) {
      this.core.store(OTHER_PACKAGE, PA_DIRECT, LINE, KEY);
      this.core.wbinvd(OTHER_PACKAGE);
    }
  }

  /** One controller read a page, at its last line: pending write-backs have to answer. */
  look(): void {
    for (let pa = PA + PAGE - LINE; pa < PA + this.bytes.length; pa += PAGE) this.core.dmaRead(pa, LINE, KEY);
  }
}

function rounds(protocol: Protocol): number {
  return 3 * protocol.pairs;
}

function measureCall(provenance: boolean, protocol: Protocol): Measurement {
  const pages = new DirtyPages(provenance, PAGES, protocol.seed);
  const call = { prepare: () => pages.dirtyAndWarm(), run: () => pages.core.wbinvd(PACKAGE) };
  call.prepare();
  call.run();
  const samples = sampleCalls(call, rounds(protocol));
  expectMemory(pages.core, PA, KEY, () => pages.bytes);
  return { headline: nanoseconds(samples, 'ns/call') };
}

/** The call and the settling of every page at the controller, over the same looks at settled pages. */
function measureAmortised(provenance: boolean, protocol: Protocol): Measurement {
  const pages = new DirtyPages(provenance, PAGES, protocol.seed);
  const flushAndLook = {
    prepare: () => pages.dirty(),
    run: () => {
      pages.core.wbinvd(PACKAGE);
      pages.look();
    },
  };
  const lookAgain = { prepare: () => pages.look(), run: () => pages.look() };
  const [flushed, settled] = interleave([flushAndLook, lookAgain], protocol);
  expectMemory(pages.core, PA, KEY, () => pages.bytes);
  return {
    headline: nanoseconds(
      flushed!.map((time, i) => Math.max(0, time - settled![i]!) / PAGES),
      'ns/page',
    ),
    beside: { settled: nanoseconds(settled!.map((time) => time / PAGES)) },
  };
}

function measureGrowth(provenance: boolean, protocol: Protocol): Measurement {
  const points = [256, 1024, 4096, PAGES].map((count): [number, number] => {
    const pages = new DirtyPages(provenance, count, protocol.seed);
    const call = { prepare: () => pages.dirtyAndWarm(), run: () => pages.core.wbinvd(PACKAGE) };
    const { median } = summarise(sampleCalls(call, rounds(protocol)));
    expectMemory(pages.core, PA, KEY, () => pages.bytes);
    return [count, Math.max(1, median)];
  });
  return { headline: { unit: 'exponent', better: 'smaller', samples: [growthExponent(points)] } };
}

/** One dirty line in each of 16 K pages: the write-backs, memory side included, against as many line writes at the controller. */
function measureSparse(provenance: boolean, protocol: Protocol): Measurement {
  const core = machine({ provenance });
  for (const base of [PA, PA_DIRECT]) own(core, base, PAGES * PAGE);
  const lineOf = (base: number, page: number): number => base + page * PAGE + (page % 64) * LINE;
  const each = (visit: (page: number) => void): void => {
    for (let page = 0; page < PAGES; page++) visit(page);
  };
  const look = (base: number): void => each((page) => core.dmaRead(lineOf(base, page), LINE, KEY));
  const stamp = (): void => each((page) => void core.store(PACKAGE, lineOf(PA, page), LINE, KEY));
  scramble(core.mailbox.u8.subarray(0, LINE), protocol.seed);
  const expected = core.mailbox.u8.slice(0, LINE);
  const putBack = (): void => core.mailbox.u8.set(expected);
  const flushed = {
    prepare: () => {
      putBack();
      stamp();
    },
    run: () => {
      core.wbinvd(PACKAGE);
      look(PA);
    },
  };
  const written = {
    prepare: putBack,
    run: () => {
      each((page) => core.movdir64b(PACKAGE, lineOf(PA_DIRECT, page), KEY));
      look(PA_DIRECT);
    },
  };
  const looked = { prepare: () => look(PA), run: () => look(PA) };
  const [flush, write, onlyLook] = interleave([flushed, written, looked], protocol);
  for (const base of [PA, PA_DIRECT]) {
    each((page) => expectBytes('a written line', core.plaintext(lineOf(base, page)), expected));
    each((page) => expectEqual('poison in DRAM', core.inspect(lineOf(base, page)).poison, false));
  }
  return {
    headline: {
      unit: '×',
      better: 'smaller',
      samples: flush!.map((time, i) => Math.max(0, time - onlyLook![i]!) / (write![i]! - onlyLook![i]!)),
    },
    beside: {
      flush: nanoseconds(flush!.map((time, i) => (time - onlyLook![i]!) / PAGES)),
      write: nanoseconds(write!.map((time, i) => (time - onlyLook![i]!) / PAGES)),
    },
  };
}

const ROWS = [
  { name: 'wbinvd/call', params: { dirty: '16 K pages' }, target: '< 200 ns', measure: measureCall },
  { name: 'wbinvd/page-settled', params: { dirty: '16 K pages' }, target: '< 200 ns', measure: measureAmortised },
  { name: 'wbinvd/growth', params: { dirty: '256 … 16 K pages' }, target: '≤ 0.1', measure: measureGrowth },
  { name: 'wbinvd/sparse', params: { dirty: '1 line in 16 K pages' }, target: '≤ 1.1 ×', measure: measureSparse },
];

export const wbinvd: readonly Bench[] = ROWS.flatMap(({ name, params, target, measure }) =>
  COLUMNS.map((provenance) => ({
    name,
    params: { ...params, provenance: onOff(provenance) },
    target,
    run: (protocol: Protocol) => measure(provenance, protocol),
  })),
);
