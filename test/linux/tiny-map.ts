import type { MemoryMap } from '../../src/platform/index.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

/** The smallest machine with two packages: one GiB, all of it on the first. For tests over many seeds. */
export const tinyMap: MemoryMap = {
  dram: [
    { base: 0, size: GiB, node: 0 },
    { base: 4 * GiB, size: GiB, node: 1 },
  ],
  e820: [
    { base: 0, size: 0xa0000, node: 0 },
    { base: MiB, size: 895 * MiB, node: 0 },
  ],
  cmrs: [{ base: MiB, size: 903 * MiB }],
  smrr: { base: 992 * MiB, size: 8 * MiB },
  seamrr: { base: 928 * MiB, size: 64 * MiB },
};
