import { endOf, type MemoryMap, type Range } from '../../platform/index.ts';

const MiB = 2 ** 20;
export const PAGE_SIZE = 4096;

/** RAM as firmware reported it, with its NUMA node. Half open. */
export interface MemblockRegion {
  readonly start: number;
  readonly end: number;
  readonly nid: number;
}

/** Memory blocks of the machine and what is reserved before there is a page allocator. */
export interface Memblock {
  readonly memory: readonly MemblockRegion[];
  readonly reserved: readonly Range[];
}

/** Below 1 MiB the real-mode trampoline and firmware live. */
const LOW_MEMORY: Range = { base: 0, size: MiB };
/** Where the kernel's image lies (assumed). */
export const KERNEL_IMAGE: Range = { base: 16 * MiB, size: 8 * MiB };

/** memblock from e820: every RAM entry, shrunk to whole pages. */
export const memblockFromE820 = (map: MemoryMap): Memblock => ({
  memory: map.e820
    .map((range) => ({
      start: Math.ceil(range.base / PAGE_SIZE) * PAGE_SIZE,
      end: Math.floor(endOf(range) / PAGE_SIZE) * PAGE_SIZE,
      nid: range.node,
    }))
    .filter((region) => region.end > region.start),
  reserved: [LOW_MEMORY, KERNEL_IMAGE],
});
