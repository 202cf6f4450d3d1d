import type { Memblock, MemblockRegion } from '../mm/memblock.ts';

const MiB = 2 ** 20;

/** tdx_memlist: every memblock region from 1 MiB on; regions that become empty are dropped. */
export const build_tdx_memlist = ({ memory }: Memblock): MemblockRegion[] =>
  memory.map((region) => ({ ...region, start: Math.max(region.start, MiB) })).filter((region) => region.start < region.end);
