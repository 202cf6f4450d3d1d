import type { Range } from '../platform/index.ts';
import { EINVAL, ENOMEM, EPERM } from '../spec/errno.ts';
import type { Cpu } from './cpu.ts';
import type { Kernel } from './kernel.ts';

const NOTIFIER = 'memory notifier';

/** The memory notifier chain, as far as TDX is on it, and the operations that call it. */
export class MemoryNotifiers {
  readonly #kernel: Kernel;
  #registered = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** register_memory_notifier(): 0 or -ENOMEM. */
  register(): number {
    if (!this.#kernel.slab.kzalloc(NOTIFIER)) return -ENOMEM;
    this.#registered = true;
    return 0;
  }

  /**
   * Onlines a memory block on a node: 0, or -EPERM when the notifier says NOTIFY_BAD. Every page of the allocator must be TDX memory,
   * so a block has to lie in one entry of the list that the module was given; without a list everything may come.
   */
  online_memory(cpu: Cpu, range: Range, nid: number): number {
    if (this.#registered && !this.#isTdxMemory(range)) {
      cpu.printk('err', 'virt/tdx', `refused to online 0x${range.base.toString(16)}: not TDX memory`, {
        base: range.base,
        size: range.size,
      });
      return -EPERM;
    }
    this.#kernel.pages.addRegion({ start: range.base, end: range.base + range.size, nid });
    return 0;
  }

  /** add_memory(): knob hotplug.precheckAt moves the refusal here, to ACPI or driver-managed adds. */
  add_memory(range: Range, driverManaged: boolean): number {
    const precheck = this.#kernel.knobs['hotplug.precheckAt'];
    const looks = precheck === 'all' || (precheck === 'driver-managed' && driverManaged);
    return looks && !this.#isTdxMemory(range) ? -EINVAL : 0;
  }

  /** Offlining is never refused; the memory stays what it is. */
  offline_memory(range: Range): number {
    this.#kernel.pages.removeRegion(range);
    return 0;
  }

  #isTdxMemory({ base, size }: Range): boolean {
    const { tdx, knobs, platform } = this.#kernel;
    const keyOn = knobs['cmdline.use_tdx'] === 'on' ? 'bios' : knobs['hotplug.keyOn'];
    const active = {
      initialized: tdx.memlist.length > 0,
      loaded: platform.seam.module !== null,
      bios: tdx.hostPlatform,
    }[keyOn];
    if (!active) return true;
    return tdx.memlist.some((region) => region.start <= base && base + size <= region.end);
  }
}
