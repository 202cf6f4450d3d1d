import type { FileOperations, Thread } from '../../linux/index.ts';
import type { Software } from '../../platform/index.ts';
import { EFAULT } from '../../spec/errno.ts';
import { allocPage, freePage } from '../pages.ts';
import { putVm } from '../vm/destroy.ts';
import type { Vm } from '../vm/vm.ts';
import { PAGE_SIZE } from './ept.ts';
import type { Memslot } from './memslot.ts';
import { unmapGfns } from './unmap.ts';

/** A guest_memfd: memory that only a guest can map. Pages are allocated at first use and freed when the file is released. */
export class GuestMemfd implements FileOperations {
  readonly name = 'guest_memfd';
  readonly vm: Vm;
  readonly npages: number;
  /** Page of the file → physical address. */
  readonly pages = new Map<number, number>();
  readonly #bindings = new Set<Memslot>();
  released = false;

  constructor(vm: Vm, size: number) {
    this.vm = vm;
    this.npages = size / PAGE_SIZE;
  }

  isBound(pgoff: number, npages: number): boolean {
    return [...this.#bindings].some(({ gmem, npages: n }) => pgoff < gmem!.pgoff + n && gmem!.pgoff < pgoff + npages);
  }

  bind(slot: Memslot): void {
    this.#bindings.add(slot);
  }

  unbind(slot: Memslot): void {
    this.#bindings.delete(slot);
  }

  /** kvm_gmem_get_pfn: the page of a GFN, allocated and cleared at first use. Negative: -errno. */
  pageOf(current: Thread, slot: Memslot, gfn: number): number {
    if (this.released) return -EFAULT;
    const index = gfn - slot.baseGfn + slot.gmem!.pgoff;
    const known = this.pages.get(index);
    if (known !== undefined) return known;
    const page = allocPage(current, 'kvm:guest-memfd');
    if (page > 0) this.pages.set(index, page);
    return page;
  }

  /** kvm_gmem_release: first every private mapping goes, while the TD still has its KeyID; then the pages; then the hold on the VM. */
  *release(current: Thread): Software {
    yield* this.vm.slotsLock.lock();
    yield* current.cpu.lp.phase('private pages: BLOCK, TRACK, REMOVE, WBINVD', this.#unmapAll(current));
    this.released = true;
    this.#bindings.clear();
    for (const page of this.pages.values()) freePage(current, page);
    this.pages.clear();
    this.vm.slotsLock.unlock();
    yield* putVm(current, this.vm);
  }

  *#unmapAll(current: Thread): Software {
    for (const slot of this.#bindings) yield* unmapGfns(current, this.vm, slot.baseGfn, slot.baseGfn + slot.npages, 'private');
  }
}
