/**
 * The guest kernel's direct map: linear address = base + GPA, and the shared bit of each range. Kept as a list of ranges, not as x86 page
 * tables in guest memory (README, "what the model does not do").
 */
export class DirectMap {
  static readonly BASE = 0xffff_8880_0000_0000n;
  readonly #sharedMask: bigint;
  readonly #shared: { start: bigint; end: bigint }[] = [];

  constructor(sharedMask: bigint) {
    this.#sharedMask = sharedMask;
  }

  share(start: bigint, bytes: bigint): void {
    this.#shared.push({ start, end: start + bytes });
  }

  unshare(start: bigint, bytes: bigint): void {
    const index = this.#shared.findIndex((range) => range.start === start && range.end === start + bytes);
    if (index >= 0) this.#shared.splice(index, 1);
  }

  /** Linear address of a GPA (without shared bit). */
  gla(gpa: bigint): bigint {
    return DirectMap.BASE + gpa;
  }

  /** What the page table puts on the bus for it: with the shared bit where the kernel has set it. */
  gpa(gpa: bigint): bigint {
    return this.#shared.some(({ start, end }) => gpa >= start && gpa < end) ? gpa | this.#sharedMask : gpa;
  }
}
