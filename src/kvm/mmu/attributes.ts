/** Per-GFN memory attributes of a VM. Only KVM_MEMORY_ATTRIBUTE_PRIVATE exists, so the store is the set of private GFN ranges, ascending and disjoint. */
export class MemoryAttributes {
  #ranges: { start: number; end: number }[] = [];

  isPrivate(gfn: number): boolean {
    return this.#ranges.some(({ start, end }) => gfn >= start && gfn < end);
  }

  /** True when every GFN of [start, end) has the attribute as asked. */
  all(start: number, end: number, isPrivate: boolean): boolean {
    if (isPrivate) return this.#ranges.some((range) => range.start <= start && end <= range.end);
    return !this.#ranges.some((range) => range.start < end && start < range.end);
  }

  set(start: number, end: number, isPrivate: boolean): void {
    const outside = this.#ranges.flatMap((range) => [
      { start: range.start, end: Math.min(range.end, start) },
      { start: Math.max(range.start, end), end: range.end },
    ]);
    const parts = outside.filter((range) => range.start < range.end);
    if (isPrivate) parts.push({ start, end });
    parts.sort((a, b) => a.start - b.start);
    this.#ranges = parts.reduce<{ start: number; end: number }[]>((merged, part) => {
      const last = merged.at(-1);
      if (last?.end === part.start) last.end = part.end;
      else merged.push(part);
      return merged;
    }, []);
  }
}
