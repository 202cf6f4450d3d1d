import type { RandomStream, Range } from '../../platform/index.ts';
import { endOf } from '../../platform/index.ts';
import type { Cpu } from '../cpu.ts';
import type { FaultInjection } from '../faults.ts';
import { Extents } from './extents.ts';
import { type Memblock, type MemblockRegion, PAGE_SIZE } from './memblock.ts';

const GiB = 2 ** 30;
/** Zone Normal begins here; below it lies DMA32. */
const NORMAL_START = 4 * GiB;

/** Told of every page that is handed out for the first time: its earlier user may have left something in the caches. */
export interface PageHistory {
  onAllocate(cpu: Cpu, base: number, size: number): void;
}

interface Zone {
  readonly nid: number;
  /** Memory that belongs to the zone, free or not. */
  readonly spans: Extents;
  readonly free: Extents;
  /** What this kernel has never handed out: its history is somebody else's. */
  readonly fresh: Extents;
  /** Pages freed one by one, the hottest last (the per-CPU lists of Linux, without the CPUs). */
  readonly hot: number[];
}

/**
 * The page allocator: zones of each node from memblock, placement by rule and not by chance. Every allocation has an owner tag,
 * so a leak has a name. Addresses are physical bytes; `null` is a failed allocation (-ENOMEM is the caller's word for it).
 */
export class PageAllocator {
  readonly #zones: readonly Zone[];
  readonly #owners = new Map<number, { readonly owner: string; readonly size: number }>();
  readonly #faults: FaultInjection;
  readonly #history: PageHistory;
  readonly #initOnAlloc: boolean;

  constructor(memblock: Memblock, faults: FaultInjection, history: PageHistory, initOnAlloc: boolean) {
    this.#zones = zonesOf(memblock);
    this.#faults = faults;
    this.#history = history;
    this.#initOnAlloc = initOnAlloc;
  }

  /** One 4 KiB page near the CPU (or on node `nid` if it has one left). */
  alloc_page(cpu: Cpu, owner: string, nid = cpu.package): number | null {
    if (this.#faults.allocationFails(owner)) return null;
    for (const zone of this.#zonelist(nid)) {
      const base = zone.hot.pop() ?? zone.free.takeLowest(PAGE_SIZE);
      if (base !== null) return this.#handOut(cpu, zone, base, PAGE_SIZE, owner);
    }
    return null;
  }

  /** As alloc_page() with __GFP_ZERO: the CPU zeroes the page by ordinary stores. */
  get_zeroed_page(cpu: Cpu, owner: string): number | null {
    const base = this.alloc_page(cpu, owner);
    if (base !== null && !this.#initOnAlloc) clear_page(cpu, base);
    return base;
  }

  /** `nr` contiguous pages, aligned to their number, on node `nid` or else on another. */
  alloc_contig_pages(cpu: Cpu, nr: number, nid: number, owner: string): number | null {
    if (this.#faults.allocationFails(owner)) return null;
    const size = nr * PAGE_SIZE;
    for (const zone of this.#zonelist(nid)) {
      this.#drainHot(zone);
      const base = zone.free.takeAligned(size, size);
      if (base !== null) return this.#handOut(cpu, zone, base, size, owner);
    }
    return null;
  }

  __free_page(base: number): void {
    this.#takeBack(base, PAGE_SIZE);
    this.#zoneOf(base).hot.push(base);
  }

  free_contig_range(base: number, nr: number): void {
    this.#takeBack(base, nr * PAGE_SIZE);
    this.#zoneOf(base).free.add(base, base + nr * PAGE_SIZE);
  }

  /** Bytes that are handed out, by owner tag. */
  outstanding(): Map<string, number> {
    const bytes = new Map<string, number>();
    for (const { owner, size } of this.#owners.values()) bytes.set(owner, (bytes.get(owner) ?? 0) + size);
    return bytes;
  }

  /** Owner of the allocation that begins at this address. */
  ownerOf(base: number): string | undefined {
    return this.#owners.get(base)?.owner;
  }

  isFree(pa: number): boolean {
    const page = pa - (pa % PAGE_SIZE);
    return this.#zones.some((zone) => zone.hot.includes(page) || zone.free.contains(page, page + PAGE_SIZE));
  }

  /** Free memory as ranges, ascending within each zone. */
  freeRanges(): Range[] {
    for (const zone of this.#zones) this.#drainHot(zone);
    return this.#zones.flatMap((zone) => zone.free.ranges);
  }

  /** New memory came online. */
  addRegion(region: MemblockRegion): void {
    const zone = this.#zones.find(({ nid }) => nid === region.nid)!;
    zone.spans.add(region.start, region.end);
    zone.free.add(region.start, region.end);
  }

  /** Memory goes offline: its free pages are no longer handed out. */
  removeRegion(range: Range): void {
    for (const zone of this.#zones) {
      this.#drainHot(zone);
      zone.free.remove(range.base, endOf(range));
    }
  }

  #handOut(cpu: Cpu, zone: Zone, base: number, size: number, owner: string): number {
    this.#owners.set(base, { owner, size });
    if (zone.fresh.contains(base, base + size)) this.#history.onAllocate(cpu, base, size);
    zone.fresh.remove(base, base + size);
    if (this.#initOnAlloc) for (let page = base; page < base + size; page += PAGE_SIZE) clear_page(cpu, page);
    return base;
  }

  #takeBack(base: number, size: number): void {
    const allocation = this.#owners.get(base);
    if (allocation?.size !== size)
      throw new Error(`BUG: Bad page state: 0x${base.toString(16)} (${size} bytes) is not such an allocation`);
    this.#owners.delete(base);
  }

  #zonelist(nid: number): Zone[] {
    return [...this.#zones.filter((zone) => zone.nid === nid), ...this.#zones.filter((zone) => zone.nid !== nid)];
  }

  #zoneOf(base: number): Zone {
    return this.#zones.find((zone) => zone.spans.contains(base, base + PAGE_SIZE))!;
  }

  #drainHot(zone: Zone): void {
    for (const page of zone.hot.splice(0)) zone.free.add(page, page + PAGE_SIZE);
  }
}

/** Two zones a node, Normal first: DMA32 is spared while there is anything else. */
const zonesOf = ({ memory, reserved }: Memblock): Zone[] => {
  const nids = [...new Set(memory.map((region) => region.nid))].sort((a, b) => a - b);
  const zones = nids.flatMap((nid) => [zone(memory, nid, NORMAL_START, Infinity), zone(memory, nid, 0, NORMAL_START)]);
  for (const { free } of zones) for (const range of reserved) free.remove(range.base, endOf(range));
  return zones;
};

const zone = (memory: readonly MemblockRegion[], nid: number, from: number, to: number): Zone => {
  const result: Zone = { nid, spans: new Extents(), free: new Extents(), fresh: new Extents(), hot: [] };
  for (const region of memory) {
    const start = Math.max(region.start, from);
    const end = Math.min(region.end, to);
    if (region.nid !== nid || start >= end) continue;
    result.spans.add(start, end);
    result.free.add(start, end);
    result.fresh.add(start, end);
  }
  return result;
};

const ZEROES = new Uint8Array(PAGE_SIZE);

/** clear_page(): ordinary cached stores. */
export const clear_page = (cpu: Cpu, base: number): void => cpu.lp.storeBytes(base, ZEROES);

/** A stream that picks one of the ranges' pages, each page with equal chance. */
export const randomPage = (ranges: readonly Range[], random: RandomStream): number => {
  const total = ranges.reduce((sum, range) => sum + range.size / PAGE_SIZE, 0);
  let index = random.below(total);
  for (const range of ranges) {
    const pages = range.size / PAGE_SIZE;
    if (index < pages) return range.base + index * PAGE_SIZE;
    index -= pages;
  }
  return endOf(ranges.at(-1)!) - PAGE_SIZE;
};
