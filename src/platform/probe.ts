import type { CachedCopy, Displacement, DramLine, FaultRecord, LineState } from '../../bindings/memory-core.ts';
import type { EventLog, MachineEvent } from './events.ts';
import type { HostSight } from './host-view.ts';
import type { LpStop } from './logical-processor.ts';
import type { MemoryMap, Range } from './memory-map.ts';
import type { Platform } from './platform.ts';

export type { CachedCopy, Displacement, EventLog, FaultRecord, HostSight, LineState, MachineEvent, MemoryMap, Range };

/**
 * What a logic analyser, a fault injector and an auditor may see: the state of the hardware, past all access rights.
 * Oracles look at a machine through this and nothing else. Reading changes nothing.
 */
export class Probe {
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  get events(): EventLog {
    return this.#platform.events;
  }
  get map(): MemoryMap {
    return this.#platform.map;
  }
  get firstPrivateKeyId(): number {
    return this.#platform.firstPrivateKeyId;
  }
  get lastKeyId(): number {
    return this.#platform.lastKeyId;
  }
  /** Package of a logical processor, -1 for the platform. */
  packageOf(lp: number): number {
    return this.#platform.lps[lp]?.package ?? -1;
  }
  /** Why a logical processor runs no more; empty while it does. */
  stoppedBy(lp: number): LpStop {
    return this.#platform.lps[lp]?.stopped ?? '';
  }
  get packages(): number {
    return this.#platform.packages;
  }
  /** Lines have a TD-owner bit (knob hw.tdBit). */
  get hasTdBit(): boolean {
    return this.#platform.core.config.tdBit;
  }
  get hasPartialWriteErratum(): boolean {
    return this.#platform.hasPartialWriteErratum;
  }
  /** Calls back with every value that reaches host software or a device, from now on. */
  watchHost(watcher: (sight: HostSight) => void): void {
    this.#platform.hostView.watch(watcher);
  }
  /** What the DRAM line holds, decrypted with the key it was last written with. */
  plaintext(pa: number): Uint8Array {
    return this.#platform.core.plaintext(pa);
  }
  /** Address of the first DRAM line in [pa, end) whose plaintext is not all zeros, -1 if there is none. */
  nextNonZero(pa: number, end: number): number {
    return this.#platform.core.nextNonZero(pa, end);
  }
  /** The DRAM line as it is on the bus. */
  dram(pa: number): DramLine {
    return this.#platform.core.capture(pa);
  }
  line(pa: number): LineState {
    return this.#platform.core.inspect(pa);
  }
  cached(pa: number): CachedCopy[] {
    return this.#platform.core.cachedCopies(pa);
  }
  displacements(pa: number): Displacement[] {
    return this.#platform.core.displacements(pa);
  }
  /** Runs of DRAM lines with TD bit 1 or poison. */
  privateRuns(pa: number, length: number, visit: (pa: number, lines: number, state: LineState) => void): void {
    this.#platform.core.forEachRun(pa, length, visit);
  }
  cachedIn(pa: number, length: number, visit: (pa: number, copy: CachedCopy) => void): void {
    this.#platform.core.forEachCached(pa, length, visit);
  }
  counters(): Record<string, number> {
    return this.#platform.core.counters();
  }
  memoryUsed(): number {
    return this.#platform.core.memoryUsed();
  }
  lastFault(): FaultRecord {
    return this.#platform.core.fault;
  }
  seamcalls(): ReadonlyMap<string, number> {
    return this.#platform.seam.calls;
  }
  /** Why SEAM was shut down, if it was. */
  seamShutdown(): { readonly lp: number; readonly fault: FaultRecord; readonly event: number } | null {
    const { shutdownBy, lostLp } = this.#platform.seam;
    return shutdownBy && lostLp ? { lp: lostLp.id, fault: shutdownBy.fault, event: shutdownBy.event } : null;
  }
}
