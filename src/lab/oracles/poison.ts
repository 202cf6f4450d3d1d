import type { Probe, Range } from '../../platform/probe.ts';
import { type Finding, hex } from './finding.ts';

const LINE = 64;

/**
 * Memory that the OS allocator regards as free must be safe to use (S4): no poisoned line anywhere, and on a part with the partial-write
 * erratum no line with TD bit 1, which the next partial write would poison.
 */
export function auditFreeMemory(probe: Probe, free: readonly Range[], checked: Record<string, number> = {}): Finding[] {
  const found = { poisoned: new Tally(), private: new Tally(), cached: new Tally() };
  for (const { base, size } of free) {
    checked.freeBytes = (checked.freeBytes ?? 0) + size;
    probe.privateRuns(base, size, (pa, lines, { poison, writer }) => {
      if (poison) found.poisoned.add(pa, lines, writer);
      else if (probe.hasPartialWriteErratum) found.private.add(pa, lines, writer);
    });
    probe.cachedIn(base, size, (pa, { dirty, keyId, writer }) => {
      if (dirty && keyId >= probe.firstPrivateKeyId) found.cached.add(pa, 1, writer);
    });
  }
  return [
    ...found.poisoned.finding('violation', 'poisoned', 'the next read is a machine check'),
    ...found.private.finding('violation', 'with TD bit 1', 'on this part a partial write poisons them'),
    ...found.cached.finding(
      'latent',
      'dirty in a cache under a private KeyID',
      'an eviction overwrites what the kernel puts there',
    ),
  ];
}

/** Lines of one kind: how many, and the first. */
class Tally {
  #lines = 0;
  #pa = -1;
  #event = 0;

  add(pa: number, lines: number, event: number): void {
    if (this.#lines === 0) {
      this.#pa = pa;
      this.#event = event;
    }
    this.#lines += lines;
  }

  finding(severity: Finding['severity'], what: string, why: string): Finding[] {
    if (this.#lines === 0) return [];
    const text = `free memory has ${this.#lines} lines (${this.#lines * LINE} bytes) ${what}, the first at ${hex(this.#pa)}: ${why}`;
    return [{ oracle: 'poison', severity, text, pa: this.#pa, event: this.#event }];
  }
}
