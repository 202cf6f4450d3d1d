/** The check behind the cache-model rows: a model with other victims does not pass it. */
import { describe, expect, it } from 'vitest';
import { WrongAnswer } from '../../bench/harness/bench.ts';
import { PACKAGE } from '../../bench/harness/machine.ts';
import { expectAlike } from '../../bench/suites/cache-oracle.ts';
import { createCapacityModel, type ReferenceStream } from '../../bindings/index.ts';
import { PlainCapacity } from '../oracle/capacity.ts';

const CONFIG = { seed: 3n, packages: 1, cacheSets: 8, cacheWays: 16, cachePolicy: 'lru' } as const;
const FITS: ReferenceStream = { pattern: 'sequential', first: 0, lines: 128 };
const RANDOM: ReferenceStream = { pattern: 'random', first: 0, lines: 512, seed: 5n };
const COUNT = 320;

/** Fills and evicts as LRU does where nothing hits; a hit is no touch. */
class Fifo extends PlainCapacity {
  readonly #held = new Map<number, Set<number>>();

  override reference(line: number, keyId: number): ReturnType<PlainCapacity['reference']> {
    const set = this.#held.get(line % CONFIG.cacheSets) ?? new Set();
    this.#held.set(line % CONFIG.cacheSets, set);
    if (set.has(line)) return 'hit';
    const [oldest] = set;
    if (set.size === CONFIG.cacheWays) set.delete(oldest!);
    set.add(line);
    return super.reference(line, keyId);
  }
}

describe('expectAlike', () => {
  it('passes the model and the plain one of the same config', () => {
    for (const cachePolicy of ['lru', 'random'] as const) {
      const config = { ...CONFIG, cachePolicy };
      expectAlike(createCapacityModel(config), new PlainCapacity(config, PACKAGE), [FITS, RANDOM], COUNT);
    }
  });

  it('finds random victims, and an order of filling where the order of use should be', () => {
    const random = createCapacityModel({ ...CONFIG, cachePolicy: 'random' });
    expect(() => expectAlike(random, new PlainCapacity(CONFIG, PACKAGE), [FITS, RANDOM], COUNT)).toThrow(WrongAnswer);
    const fifo = new Fifo(CONFIG, PACKAGE);
    expect(() => expectAlike(createCapacityModel(CONFIG), fifo, [FITS, RANDOM], COUNT)).toThrow(WrongAnswer);
  });
});
