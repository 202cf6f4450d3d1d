/** A range of physical addresses in bytes, half open. */
export interface Range {
  readonly base: number;
  readonly size: number;
}

/** DRAM as it is wired: a range and the NUMA node (= package) whose controller owns it. */
export interface DramRange extends Range {
  readonly node: number;
}

const MiB = 2 ** 20;
const GiB = 2 ** 30;

export interface MemoryMap {
  /** What is wired, for keys and coherence; multiples of 1 GiB. */
  readonly dram: readonly DramRange[];
  /** What firmware reports to the OS as usable RAM (e820), ascending. */
  readonly e820: readonly DramRange[];
  /** Convertible memory ranges, ascending. */
  readonly cmrs: readonly Range[];
  /** SEAM range: P-SEAMLDR and the TDX module, reachable in SEAM mode alone. */
  readonly seamrr: Range;
  /** System management range (TSEG): BIOS's own, locked. */
  readonly smrr: Range;
}

/** The reference machine: 64 GiB in two nodes, with the 2..4 GiB hole, firmware-reserved holes and SEAMRR below 2 GiB. */
export const referenceMap: MemoryMap = {
  dram: [
    { base: 0, size: 2 * GiB, node: 0 },
    { base: 4 * GiB, size: 30 * GiB, node: 0 },
    { base: 34 * GiB, size: 32 * GiB, node: 1 },
  ],
  e820: [
    { base: 0, size: 0xa0000, node: 0 },
    { base: MiB, size: 1899 * MiB, node: 0 },
    { base: 4 * GiB, size: 30 * GiB, node: 0 },
    { base: 34 * GiB, size: 14 * GiB, node: 1 },
    { base: 48 * GiB + 64 * MiB, size: 18 * GiB - 64 * MiB, node: 1 },
  ],
  cmrs: [
    { base: MiB, size: 1911 * MiB },
    { base: 4 * GiB, size: 30 * GiB },
    { base: 34 * GiB, size: 14 * GiB },
    { base: 48 * GiB + 64 * MiB, size: 18 * GiB - 64 * MiB },
  ],
  seamrr: { base: 1920 * MiB, size: 64 * MiB },
  smrr: { base: 1984 * MiB, size: 8 * MiB },
};

/** A machine small enough for property tests: 2 GiB on each of two nodes. */
export const smallMap: MemoryMap = {
  dram: [
    { base: 0, size: 2 * GiB, node: 0 },
    { base: 4 * GiB, size: 2 * GiB, node: 1 },
  ],
  e820: [
    { base: 0, size: 0xa0000, node: 0 },
    { base: MiB, size: 1899 * MiB, node: 0 },
    { base: 4 * GiB, size: 2 * GiB, node: 1 },
  ],
  cmrs: [
    { base: MiB, size: 1911 * MiB },
    { base: 4 * GiB, size: 2 * GiB },
  ],
  seamrr: { base: 1920 * MiB, size: 64 * MiB },
  smrr: { base: 1984 * MiB, size: 8 * MiB },
};

export const endOf = (range: Range): number => range.base + range.size;
export const contains = (range: Range, base: number, size = 1): boolean => base >= range.base && base + size <= endOf(range);
export const overlaps = (a: Range, b: Range): boolean => a.base < endOf(b) && b.base < endOf(a);
