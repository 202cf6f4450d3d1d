import type { Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { flushRemoteTlbs } from '../vcpu/kick.ts';
import type { Vm } from '../vm/vm.ts';
import { isPresent, NONPRESENT, PAGE_SHIFT } from './ept.ts';
import { zapPrivateLeaf } from './zap.ts';

/** Which mappings of a GFN range go: the S-EPT's, the shared EPT's, or both. */
export type Side = 'private' | 'shared' | 'both';

/**
 * kvm_unmap_gfn_range with a filter: removes the mappings of [start, end). Faults that started before see `invalidateSeq` move
 * and try again.
 */
export function* unmapGfns(current: Thread, vm: Vm, start: number, end: number, side: Side): Software {
  vm.invalidating++;
  yield* vm.mmuLock.write();
  if (side !== 'shared') yield* unmapPrivate(current, vm, start, end);
  const flush = side !== 'private' && unmapShared(current, vm, start, end);
  vm.invalidateSeq++;
  vm.invalidating--;
  vm.mmuLock.writeUnlock();
  if (flush) yield* flushRemoteTlbs(current, vm);
}

function* unmapPrivate(current: Thread, vm: Vm, start: number, end: number): Software {
  const mirror = vm.td?.mirror;
  if (!mirror) return;
  for (const { gpa, at, entry } of mirror.table.leaves(current, start * 2 ** PAGE_SHIFT, end * 2 ** PAGE_SHIFT)) {
    if (isPresent(entry)) yield* zapPrivateLeaf(current, vm, gpa, at, entry);
  }
}

function unmapShared(current: Thread, vm: Vm, start: number, end: number): boolean {
  const td = vm.td;
  if (!td?.shared) return false;
  let flush = false;
  // GFNs from the shared bit on are nobody's: with the bit added they would come round again.
  const [from, to] = [start, end].map((gfn) => Math.min(gfn * 2 ** PAGE_SHIFT, td.sharedBit) + td.sharedBit) as [number, number];
  for (const { at, entry } of td.shared.leaves(current, from, to)) {
    if (entry === NONPRESENT) continue;
    current.cpu.lp.store64(at, NONPRESENT);
    flush = true;
  }
  return flush;
}
