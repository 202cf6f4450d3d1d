/** The packages' caches and what keeps one tag coherent between them (docs/memory-law.md, "Caches"). */

import type { CoreConfig, DirectStore, Displacement } from '../../bindings/memory-core.ts';
import type { Controller, LineData, Origin } from './controller.ts';
import { type CachedLine, PackageCache } from './package-cache.ts';
import type { Tally } from './tally.ts';

export class Coherence {
  readonly #memory: Controller;
  readonly #tally: Tally;
  readonly #caches: PackageCache[];

  constructor(config: CoreConfig, memory: Controller, tally: Tally) {
    this.#memory = memory;
    this.#tally = tally;
    this.#caches = Array.from({ length: config.packages }, (_, pkg) => new PackageCache(config, pkg));
  }

  /** The cached line of a load, filled if need be. The caller decides whether its poison is consumed. */
  load(pkg: number, line: number, keyId: number): CachedLine {
    const hit = this.#hit(pkg, line, keyId);
    if (hit) return hit;
    this.#makeRoom(pkg, line);
    const holders = this.#others(pkg, line, keyId);
    if (holders.length > 0) this.#tally.snoops += 1;
    for (const holder of holders) this.#clean(holder, 'snoop');
    return this.#fill(pkg, line, keyId, holders[0] ?? null);
  }

  /** A store of bytes at `offset`: read for ownership, then merge. Nothing is consumed. */
  store(pkg: number, line: number, keyId: number, offset: number, bytes: Uint8Array): void {
    const hit = this.#hit(pkg, line, keyId);
    if (!hit) this.#makeRoom(pkg, line);
    const holders = this.#others(pkg, line, keyId);
    if (holders.length > 0) this.#tally.snoops += 1;
    this.#dropFromAll(line, keyId, pkg);
    const owned = hit ?? this.#fill(pkg, line, keyId, holders[0] ?? null);
    owned.bytes.set(bytes, offset);
    owned.dirty = true;
    owned.writer = this.#memory.writerNow;
  }

  /** Past the caches: `length` < 64 writes a dirty copy back first, a full line only drops it. */
  direct(line: number, keyId: number, offset: number, bytes: Uint8Array, cause: DirectStore | 'movdir64b'): void {
    if (bytes.length === 64) {
      this.#dropFromAll(line, keyId);
      this.#memory.write(line, { bytes, poison: null, keyId, cause, writer: this.#memory.writerNow });
      return;
    }
    this.flush(line, keyId, 'snoop');
    this.#memory.writePartial(line, keyId, offset, bytes, cause as DirectStore);
  }

  /** A device's read: sees dirty data of its own tag, allocates nothing. */
  deviceRead(line: number, keyId: number): LineData {
    for (const cache of this.#caches) this.#clean(cache.find(line, keyId), 'snoop');
    return this.#memory.read(line, keyId);
  }

  /** Writes a dirty copy back, then drops the tag everywhere. */
  flush(line: number, keyId: number, cause: 'clflush' | 'snoop'): void {
    for (const cache of this.#caches) this.#clean(cache.find(line, keyId), cause);
    this.#dropFromAll(line, keyId);
  }

  writeBackAll(pkg: number, cause: 'wbinvd' | 'wbnoinvd'): void {
    for (const cached of this.#caches[pkg].held()) {
      if (cached.dirty) this.#tally.wbinvdLines += 1;
      this.#clean(cached, cause);
    }
    if (cause === 'wbinvd') this.#caches[pkg].clear();
  }

  evict(pkg: number, line: number, keyId: number): boolean {
    const cached = this.#caches[pkg].find(line, keyId);
    if (cached) this.#evict(pkg, cached);
    return cached !== null;
  }

  evictSome(pkg: number, count: number): number {
    for (let evicted = 0; evicted < count; ++evicted) {
      const victim = this.#caches[pkg].drawVictim();
      if (!victim) return evicted;
      this.#evict(pkg, victim);
    }
    return count;
  }

  /** Every held line with its package, by package and then in drain order. */
  held(): { pkg: number; cached: CachedLine }[] {
    return this.#caches.flatMap((cache, pkg) => cache.held().map((cached) => ({ pkg, cached })));
  }

  /** Forgets all lines without a write-back. */
  drop(): void {
    for (const cache of this.#caches) cache.clear();
  }

  #hit(pkg: number, line: number, keyId: number): CachedLine | null {
    this.#caches[pkg].touch(line, keyId);
    return this.#caches[pkg].find(line, keyId);
  }

  #others(pkg: number, line: number, keyId: number): CachedLine[] {
    return this.#caches.flatMap((cache, other) => (other === pkg ? [] : (cache.find(line, keyId) ?? [])));
  }

  /** Caches the line clean: a copy of another package's, or what the controller returns. */
  #fill(pkg: number, line: number, keyId: number, holder: CachedLine | null): CachedLine {
    const { bytes, poison } = holder ?? this.#memory.read(line, keyId);
    const writer = holder ? holder.writer : this.#memory.inspect(line).writer;
    const cached: CachedLine = { line, keyId, bytes: bytes.slice(), dirty: false, poison, writer };
    this.#caches[pkg].fill(cached);
    return cached;
  }

  #makeRoom(pkg: number, line: number): void {
    const victim = this.#caches[pkg].victimFor(line);
    if (victim) this.#evict(pkg, victim);
  }

  #evict(pkg: number, cached: CachedLine): void {
    this.#tally.evictions += 1;
    this.#clean(cached, 'eviction');
    this.#caches[pkg].drop(cached.line, cached.keyId);
  }

  #clean(cached: CachedLine | null, cause: Displacement['cause']): void {
    if (!cached?.dirty) return;
    this.#tally.writeBacks += 1;
    if (cause === 'clflush') this.#tally.clflushLines += 1;
    const { line, keyId, bytes, writer } = cached;
    const poison: Origin | null = cached.poison;
    this.#memory.write(line, { bytes, poison, keyId, cause, writer });
    cached.dirty = false;
  }

  #dropFromAll(line: number, keyId: number, except = -1): void {
    this.#caches.forEach((cache, pkg) => {
      if (pkg !== except) cache.drop(line, keyId);
    });
  }
}
