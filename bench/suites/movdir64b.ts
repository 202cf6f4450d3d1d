/** MOVDIR64B clear of ranges: uniform ones in a few nodes, populated ones in as many as are populated. */
import type { MemoryCore } from '../../bindings/index.ts';
import { type Bench, expectEqual, type Measurement } from '../harness/bench.ts';
import { COLUMNS, KEY, machine, OTHER_KEY, onOff, PACKAGE } from '../harness/machine.ts';
import type { Protocol } from '../harness/protocol.ts';
import { growthExponent, summarise } from '../harness/statistics.ts';
import { nanoseconds, sample, sampleCalls } from '../harness/timing.ts';
import { GIB, LINE, sizeName, TIB } from '../harness/workload.ts';

const PA = TIB;
const CALLS = 256;
const SIZES = [GIB, 64 * GIB, TIB];

function expectCleared(core: MemoryCore, size: number, keyId: number): void {
  expectEqual('first byte that is not zero', core.nextNonZero(PA, PA + size), -1);
  let lines = 0;
  core.forEachRun(PA, size, (_, count, state) => {
    expectEqual('KeyID in DRAM', state.keyId, keyId);
    expectEqual('poison in DRAM', state.poison, false);
    lines += count;
  });
  expectEqual('lines with TD bit 1', lines, size / LINE);
}

/** Every call changes the tag of the whole range. */
function uniformCalls(size: number, provenance: boolean, protocol: Protocol): number[] {
  const core = machine({ provenance });
  const lines = size / LINE;
  core.movdir64bFill(PACKAGE, PA, lines, KEY, 1n);
  const batch = (): void => {
    for (let i = 0; i < CALLS; i += 2) {
      core.movdir64bFill(PACKAGE, PA, lines, OTHER_KEY, 0n);
      core.movdir64bFill(PACKAGE, PA, lines, KEY, 0n);
    }
  };
  const samples = sample(CALLS, batch, protocol);
  expectCleared(core, size, KEY);
  return samples;
}

function measureGrowth(provenance: boolean, protocol: Protocol): Measurement {
  const points = SIZES.map((size): [number, number] => [
    size,
    summarise(uniformCalls(size, provenance, { ...protocol, timeMs: protocol.timeMs / 2 })).median,
  ]);
  return { headline: { unit: 'exponent', better: 'smaller', samples: [growthExponent(points)] } };
}

/** Visits one line in each of `count` pages that lie evenly in 64 GiB. */
function eachPopulated(count: number, visit: (pa: number, i: number) => void): void {
  const step = (64 * GIB) / count;
  for (let i = 0; i < count; i++) visit(PA + i * step + (i % 64) * LINE, i);
}

/** Each line has another owner than the rest of its page, and is cached: dirty under the tag that will be written, clean under an alias. */
function populate(core: MemoryCore, count: number): void {
  eachPopulated(count, (pa, i) => {
    core.mailbox.u32[0] = i + 1;
    core.store(PACKAGE, pa, LINE, KEY);
    core.movdir64b(PACKAGE, pa, OTHER_KEY);
    core.load(PACKAGE, pa, LINE, OTHER_KEY);
  });
}

/** Cached copies of the written tag are gone, the alias is what it was. */
function expectAliasesStay(core: MemoryCore, count: number): void {
  eachPopulated(count, (pa, i) => {
    const copies = core.cachedCopies(pa);
    expectEqual('KeyIDs cached after the clear', copies.map(({ keyId }) => keyId).join(), String(OTHER_KEY));
    const { data } = copies[0]!;
    expectEqual('first word of the alias', new DataView(data.buffer, data.byteOffset).getUint32(0, true), i + 1);
  });
}

/** Both copies are there before: otherwise the clear would have nothing to drop. */
function expectPopulated(core: MemoryCore, count: number): void {
  eachPopulated(count, (pa) => {
    const copies = core.cachedCopies(pa).map(({ keyId, dirty }) => `${keyId}${dirty ? ' dirty' : ''}`);
    expectEqual('KeyIDs cached before the clear', copies.sort().join(), `${KEY} dirty,${OTHER_KEY}`);
    expectEqual('KeyID in DRAM before the clear', core.inspect(pa).keyId, OTHER_KEY);
  });
}

/** With so many records the log of displacements is a ring: it is memory by promise, no leak. */
const FULL_LOG = 65536;

function fillLog(core: MemoryCore): void {
  for (let i = 0; i < FULL_LOG; i++) core.movdir64b(PACKAGE, 0, i % 2 === 0 ? KEY : OTHER_KEY);
}

interface Populated {
  readonly samples: number[];
  /** Memory use after the last clear less that after the first. */
  readonly growth: number;
}

function populatedCalls(count: number, provenance: boolean, protocol: Protocol): Populated {
  const core = machine({ provenance });
  const size = 64 * GIB;
  const clear = (): void => core.movdir64bFill(PACKAGE, PA, size / LINE, KEY, 0n);
  const call = { prepare: () => populate(core, count), run: clear };
  // The aliases of the first round stay for good; what comes after must not add to them.
  fillLog(core);
  clear();
  call.prepare();
  expectPopulated(core, count);
  clear();
  const before = core.counters();
  const used = core.memoryUsed();
  const samples = sampleCalls(call, protocol.pairs);
  const after = core.counters();
  const live = after.slotsAllocated! - after.slotsFreed! - (before.slotsAllocated! - before.slotsFreed!);
  expectEqual('slots that were not freed', live, 0);
  expectCleared(core, size, KEY);
  expectAliasesStay(core, count);
  return { samples, growth: core.memoryUsed() - used };
}

function measurePopulatedGrowth(provenance: boolean, protocol: Protocol): Measurement {
  const counts = [1024, 4096, 16384];
  const runs = counts.map((count) => populatedCalls(count, provenance, protocol));
  const points = runs.map((run, i): [number, number] => [counts[i]!, summarise(run.samples).median]);
  const last = runs.at(-1)!.samples.map((time) => time / counts.at(-1)!);
  return {
    headline: { unit: 'exponent', better: 'smaller', samples: [growthExponent(points)] },
    beside: { page: nanoseconds(last, 'ns/page') },
  };
}

function measurePopulatedMemory(provenance: boolean, protocol: Protocol): Measurement {
  const { growth } = populatedCalls(4096, provenance, protocol);
  return { headline: { unit: 'B', better: 'smaller', exact: true, samples: [growth] } };
}

const ROWS = [
  ...SIZES.map((size) => ({
    name: 'movdir64b/clear-uniform',
    params: { size: sizeName(size) },
    target: '< 1 µs',
    measure: (provenance: boolean, protocol: Protocol): Measurement => ({
      headline: nanoseconds(uniformCalls(size, provenance, protocol), 'ns/call'),
    }),
  })),
  { name: 'movdir64b/clear-growth', params: { size: '1 GiB … 1 TiB' }, target: '≤ 0.1', measure: measureGrowth },
  {
    name: 'movdir64b/populated-growth',
    params: { populated: '1 K … 16 K pages' },
    target: '≤ 1.1',
    measure: measurePopulatedGrowth,
  },
  { name: 'movdir64b/populated-leak', params: { populated: '4 K pages' }, target: '≤ 0 B', measure: measurePopulatedMemory },
];

export const movdir64b: readonly Bench[] = ROWS.flatMap(({ name, params, target, measure }) =>
  COLUMNS.map((provenance) => ({
    name,
    params: { ...params, provenance: onOff(provenance) },
    target,
    run: (protocol: Protocol) => measure(provenance, protocol),
  })),
);
