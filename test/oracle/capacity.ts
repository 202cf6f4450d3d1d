/** Sets, ways and victims by the letter of docs/memory-law.md ("Capacity and victims"): one list a set, nothing clever. */

import type { CoreConfig } from '../../bindings/memory-core.ts';
import { mix } from './package-cache.ts';

type CapacityConfig = Pick<CoreConfig, 'seed' | 'cacheSets' | 'cacheWays' | 'cachePolicy'>;
export type Outcome = 'hit' | 'fill' | 'eviction';

interface CacheSet {
  /** Tag text by way; null = invalid. */
  readonly ways: (bigint | null)[];
  /** Tags, the one touched last in front. */
  recent: bigint[];
}

/** One package. */
export class PlainCapacity {
  readonly #config: CapacityConfig;
  readonly #stream: bigint;
  #draws = 0n;
  #sets: CacheSet[] = [];

  constructor(config: CapacityConfig, pkg: number) {
    this.#config = config;
    this.#stream = mix(config.seed ^ 0x4556494354000000n ^ BigInt(pkg));
    this.clear();
  }

  clear(): void {
    const { cacheSets, cacheWays } = this.#config;
    this.#sets = Array.from({ length: cacheSets }, () => ({ ways: Array<bigint | null>(cacheWays).fill(null), recent: [] }));
  }

  reference(line: number, keyId: number): Outcome {
    const set = this.#sets[line % this.#config.cacheSets]!;
    const tag = (BigInt(line) << 16n) + BigInt(keyId);
    if (set.ways.includes(tag)) {
      this.#touch(set, tag);
      return 'hit';
    }
    const free = set.ways.indexOf(null);
    const way = free >= 0 ? free : this.#victimWay(set);
    if (free < 0) this.#drop(set, way);
    set.ways[way] = tag;
    this.#touch(set, tag);
    return free >= 0 ? 'fill' : 'eviction';
  }

  invalidate(line: number, keyId: number): boolean {
    const set = this.#sets[line % this.#config.cacheSets]!;
    const way = set.ways.indexOf((BigInt(line) << 16n) + BigInt(keyId));
    if (way >= 0) this.#drop(set, way);
    return way >= 0;
  }

  evictSome(count: number): number {
    const { cacheSets, cacheWays } = this.#config;
    let done = 0;
    for (; done < count && this.held() > 0; done++) {
      let slot = Number(this.#draw() % BigInt(cacheSets * cacheWays));
      while (this.#wayAt(slot) === null) slot = (slot + 1) % (cacheSets * cacheWays);
      this.#drop(this.#sets[Math.floor(slot / cacheWays)]!, slot % cacheWays);
    }
    return done;
  }

  held(): number {
    return this.#sets.reduce((sum, { recent }) => sum + recent.length, 0);
  }

  digest(): bigint {
    return this.#sets.flatMap(({ ways }) => ways).reduce((value: bigint, tag) => mix(value ^ (tag === null ? 0n : tag + 1n)), 0n);
  }

  #wayAt(slot: number): bigint | null {
    const { cacheWays } = this.#config;
    return this.#sets[Math.floor(slot / cacheWays)]!.ways[slot % cacheWays]!;
  }

  #draw(): bigint {
    return mix(BigInt.asUintN(64, this.#stream + this.#draws++));
  }

  #victimWay(set: CacheSet): number {
    if (this.#config.cachePolicy === 'random') return Number(this.#draw() % BigInt(this.#config.cacheWays));
    return set.ways.indexOf(set.recent.at(-1)!);
  }

  #touch(set: CacheSet, tag: bigint): void {
    set.recent = [tag, ...set.recent.filter((other) => other !== tag)];
  }

  #drop(set: CacheSet, way: number): void {
    set.recent = set.recent.filter((tag) => tag !== set.ways[way]);
    set.ways[way] = null;
  }
}
