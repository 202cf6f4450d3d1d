import type { Range } from '../../platform/index.ts';

interface Extent {
  start: number;
  end: number;
}

/** A set of addresses as sorted, disjoint, non-adjacent extents. */
export class Extents {
  readonly #list: Extent[] = [];

  get ranges(): readonly Range[] {
    return this.#list.map(({ start, end }) => ({ base: start, size: end - start }));
  }

  get size(): number {
    return this.#list.reduce((sum, { start, end }) => sum + end - start, 0);
  }

  add(start: number, end: number): void {
    const list = this.#list;
    const first = this.#firstEndingFrom(start);
    let last = first;
    while (last < list.length && list[last]!.start <= end) last++;
    const merged = list
      .slice(first, last)
      .reduce((all, e) => ({ start: Math.min(all.start, e.start), end: Math.max(all.end, e.end) }), { start, end });
    list.splice(first, last - first, merged);
  }

  remove(start: number, end: number): void {
    const list = this.#list;
    const first = list.findIndex((extent) => extent.end > start);
    if (first < 0) return;
    let last = first;
    const rest: Extent[] = [];
    for (; last < list.length && list[last]!.start < end; last++) {
      const extent = list[last]!;
      if (extent.start < start) rest.push({ start: extent.start, end: start });
      if (extent.end > end) rest.push({ start: end, end: extent.end });
    }
    list.splice(first, last - first, ...rest);
  }

  contains(start: number, end: number): boolean {
    return this.#list.some((extent) => extent.start <= start && end <= extent.end);
  }

  /** Takes `size` from the lowest address; null when no extent is large enough. */
  takeLowest(size: number): number | null {
    const extent = this.#list.find(({ start, end }) => end - start >= size);
    if (!extent) return null;
    const { start } = extent;
    this.remove(start, start + size);
    return start;
  }

  /** The lowest free multiple of `alignment` with `size` free behind it. Takes it. */
  takeAligned(size: number, alignment: number): number | null {
    for (const { start, end } of this.#list) {
      const base = Math.ceil(start / alignment) * alignment;
      if (base + size > end) continue;
      this.remove(base, base + size);
      return base;
    }
    return null;
  }

  /** Index of the first extent that ends at or after `start`. */
  #firstEndingFrom(start: number): number {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#list[middle]!.end < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
