import type { Software } from '../platform/software.ts';
import { type Slot, userAddress } from './memory.ts';
import type { Scratch } from './scratch.ts';
import type { Syscalls } from './syscalls.ts';
import { buildTdHob, MR_EXTEND, PAGE_AUG, q35E820, type TdvfImage, type TdvfSection, tdxRamEntries } from './tdvf/index.ts';
import { initMemRegion } from './tdx.ts';

const PAGE_BYTES = 4096;

/** Sections that become private memory before the TD runs, in the descriptor's order. */
export const addedSections = (image: TdvfImage): TdvfSection[] =>
  image.sections.filter(({ memoryDataSize, attributes }) => memoryDataSize > 0 && (attributes & PAGE_AUG) === 0);

/** Puts each section's bytes, and the TD HOB, where the VMM's memory backs their GPA. What has no bytes stays zeros. */
export function placeSections(syscalls: Syscalls, slots: readonly Slot[], image: TdvfImage, memory: number): void {
  for (const section of addedSections(image)) {
    if (section.data.length > 0) syscalls.write(userAddress(slots, section.memoryAddress)!, section.data);
  }
  const { tdHob } = image;
  if (!tdHob) return;
  const hob = buildTdHob(tdHob.memoryAddress, tdHob.memoryDataSize, tdxRamEntries(q35E820(memory), image.sections));
  syscalls.write(userAddress(slots, tdHob.memoryAddress)!, hob);
}

/** KVM_TDX_INIT_MEM_REGION for each section. */
export function* addSections(
  syscalls: Syscalls,
  vcpuFd: number,
  slots: readonly Slot[],
  image: TdvfImage,
  scratch: Scratch,
): Software {
  for (const section of addedSections(image)) {
    const region = {
      source: userAddress(slots, section.memoryAddress)!,
      gpa: section.memoryAddress,
      pages: section.memoryDataSize / PAGE_BYTES,
      measure: (section.attributes & MR_EXTEND) !== 0,
    };
    yield* initMemRegion(syscalls, vcpuFd, region, scratch);
  }
}
