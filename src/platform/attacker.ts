import type { DramLine } from '../../bindings/memory-core.ts';
import type { EventFacts } from './events.ts';
import type { Platform } from './platform.ts';

/**
 * Somebody with an interposer on the memory bus, or a hammered row: changes DRAM and caches past all access rights.
 * What they do is in the event log (kind `attack`), so that a later machine check can be traced to it.
 */
export class Attacker {
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Takes a picture of a DRAM line. Changes nothing. */
  capture(pa: number): DramLine {
    return this.#platform.core.capture(pa);
  }

  /** Puts a picture back: at its own address a replay, at another one a splice. */
  replay(pa: number, line: DramLine): void {
    this.#act('replay', { pa: hex(pa) }, () => this.#platform.core.replay(pa, line));
  }

  /** Flips bit 0..511 of the ciphertext, a bit of the MAC, the TD bit or the poison bit. */
  flip(pa: number, what: 'data' | 'mac' | 'td-bit' | 'poison', bit = 0): void {
    this.#act('flip', { pa: hex(pa), what, bit }, () => this.#platform.core.flip(pa, what, bit));
  }

  /** Cache pressure that drives one tag out of a package's cache. False when it was not there. */
  evict(pkg: number, pa: number, keyId: number): boolean {
    return this.#act('evict', { pa: hex(pa), keyId }, () => this.#platform.core.evict(pkg, pa, keyId));
  }

  #act<T>(name: string, args: EventFacts, act: () => T): T {
    const { core, events, lps } = this.#platform;
    const now = Math.max(...lps.map((lp) => lp.now));
    const event = events.begin(-1, 'attack', name, now, 0, args);
    core.setEvent(event.id);
    const result = act();
    events.end(event, now);
    core.setEvent(0);
    return result;
  }
}

const hex = (pa: number): string => `0x${pa.toString(16)}`;
