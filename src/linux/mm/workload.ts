import type { RandomStream, Range, Software } from '../../platform/index.ts';
import type { Cpu } from '../cpu.ts';
import { PAGE_SIZE } from './memblock.ts';
import { randomPage } from './page-alloc.ts';

const LINE = 64;
/** Lines that the workload still knows the contents of. */
const MEMORY = 64;
const OPERATIONS_PER_SLICE = 64;

/** What a workload did and found. */
export interface WorkloadReport {
  operations: number;
  stores: number;
  partialStores: number;
  loads: number;
  /** Loads that did not give back what was stored: silent data corruption. */
  corrupted: { readonly pa: number; readonly expected: bigint; readonly found: bigint }[];
}

/**
 * An ordinary kernel's use of its free memory, seeded: cached stores, MOVNTI (stores of less than a line that go straight to memory)
 * and loads, some of them of what was stored a moment ago. It knows nothing of TDX. Poison ends it with a machine check.
 */
export function* exercise_memory(
  cpu: Cpu,
  operations: number,
  ranges: readonly Range[] = cpu.kernel.pages.freeRanges(),
): Software<WorkloadReport> {
  const random = cpu.kernel.platform.random(`workload ${cpu.kernel.generation}`);
  const report: WorkloadReport = { operations: 0, stores: 0, partialStores: 0, loads: 0, corrupted: [] };
  const known = new Map<number, bigint>();
  const event = cpu.lp.beginEvent('memory', `kernel ${cpu.kernel.generation} works on its free memory`);
  while (report.operations < operations) {
    for (let i = 0; i < OPERATIONS_PER_SLICE && report.operations < operations; i++) {
      step(cpu, random, ranges, known, report);
      report.operations++;
    }
    yield 'pause';
  }
  cpu.lp.endEvent(event);
  return report;
}

const step = (
  cpu: Cpu,
  random: RandomStream,
  ranges: readonly Range[],
  known: Map<number, bigint>,
  report: WorkloadReport,
): void => {
  const kind = random.below(8);
  if (kind < 3) store(cpu, random, anyLine(ranges, random), known, report);
  else if (kind < 5) partialStore(cpu, random, anyLine(ranges, random), known, report);
  else if (kind < 6 || known.size === 0) load(cpu, anyLine(ranges, random), undefined, report);
  else {
    const [pa, expected] = [...known][random.below(known.size)]!;
    load(cpu, pa, expected, report);
  }
};

const anyLine = (ranges: readonly Range[], random: RandomStream): number =>
  randomPage(ranges, random) + random.below(PAGE_SIZE / LINE) * LINE;

const remember = (known: Map<number, bigint>, pa: number, value: bigint): void => {
  known.delete(pa);
  known.set(pa, value);
  if (known.size > MEMORY) known.delete(known.keys().next().value!);
};

const store = (cpu: Cpu, random: RandomStream, pa: number, known: Map<number, bigint>, report: WorkloadReport): void => {
  const value = random.next64();
  cpu.lp.store64(pa, value);
  remember(known, pa, value);
  report.stores++;
};

const partialStore = (cpu: Cpu, random: RandomStream, pa: number, known: Map<number, bigint>, report: WorkloadReport): void => {
  const value = random.next64();
  cpu.kernel.platform.core.mailbox.u64[0] = value;
  cpu.lp.directStore('nt-store', pa, 8);
  remember(known, pa, value);
  report.partialStores++;
};

const load = (cpu: Cpu, pa: number, expected: bigint | undefined, report: WorkloadReport): void => {
  const found = cpu.lp.load64(pa);
  report.loads++;
  if (expected !== undefined && found !== expected) report.corrupted.push({ pa, expected, found });
};
