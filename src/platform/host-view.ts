import type { LogicalProcessor } from './logical-processor.ts';

/** Something that host software or a device got to see. */
export interface HostSight {
  /** `load`: a CPU in root mode; `dma`: a device; `registers`: what a SEAMCALL left in the registers. */
  readonly source: 'load' | 'dma' | 'registers';
  /** Where the bytes were read; for `registers` 0. */
  readonly pa: number;
  /** Valid during the call alone. */
  readonly bytes: Uint8Array;
  /** Logical processor, -1 for a device. */
  readonly lp: number;
  readonly event: number;
}

/** Where every value passes that leaves the hardware for the host. Costs a test of a flag while nobody watches. */
export class HostView {
  readonly #watchers: ((sight: HostSight) => void)[] = [];
  watched = false;

  watch(watcher: (sight: HostSight) => void): void {
    this.#watchers.push(watcher);
    this.watched = true;
  }

  see(source: HostSight['source'], pa: number, bytes: Uint8Array, lp: LogicalProcessor | null): void {
    const sight: HostSight = { source, pa, bytes, lp: lp?.id ?? -1, event: lp?.currentEvent ?? 0 };
    for (const watcher of this.#watchers) watcher(sight);
  }

  /** General-purpose registers at the moment a SEAMCALL returns to root mode. */
  seeRegisters(lp: LogicalProcessor): void {
    if (this.watched) this.see('registers', 0, new Uint8Array(lp.gpr.buffer, lp.gpr.byteOffset, lp.gpr.byteLength), lp);
  }
}
