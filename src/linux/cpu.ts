import type { LogicalProcessor } from '../platform/index.ts';
import type { Kernel } from './kernel.ts';
import type { Facts, LogLevel } from './printk.ts';

/** A CPU as the kernel sees it: the logical processor and the kernel's per-CPU data. Kernel functions take the CPU they run on. */
export class Cpu {
  readonly kernel: Kernel;
  readonly lp: LogicalProcessor;
  readonly id: number;
  online = true;
  /** `cache_state_incoherent`: this CPU's cache may hold lines of private KeyIDs. */
  cacheIncoherent = false;
  /** VMXON references (x86_virt_get_ref). */
  vmxRefs = 0;
  /** TDH.SYS.LP.INIT done here. */
  lpInitialized = false;

  constructor(kernel: Kernel, lp: LogicalProcessor) {
    this.kernel = kernel;
    this.lp = lp;
    this.id = lp.id;
  }

  /** topology_physical_package_id(). */
  get package(): number {
    return this.lp.package;
  }

  printk(level: LogLevel, subsystem: string, text: string, facts: Facts = {}): void {
    this.kernel.log.print(this.id, level, subsystem, text, facts);
  }
}
