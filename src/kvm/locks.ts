import type { Thread } from '../linux/index.ts';
import { COST, type Software } from '../platform/index.ts';

/** A sleeping lock. Who finds it taken waits; there is no owner check, as each section locks and unlocks in one function. */
export class Mutex {
  readonly #name: string;
  #taken = false;

  constructor(name: string) {
    this.#name = name;
  }

  *lock(): Software {
    while (this.#taken) yield { what: this.#name, ready: () => !this.#taken };
    this.#taken = true;
  }

  /** As {@link lock}, but gives up when `interrupted` turns true (mutex_lock_killable). True when taken. */
  *lockKillable(interrupted: () => boolean): Software<boolean> {
    while (this.#taken) {
      if (interrupted()) return false;
      yield { what: this.#name, ready: () => !this.#taken || interrupted() };
    }
    this.#taken = true;
    return true;
  }

  unlock(): void {
    this.#taken = false;
  }
}

/** kvm->mmu_lock: page faults hold it for reading, zaps for writing. */
export class RwLock {
  readonly #name: string;
  #readers = 0;
  #writer = false;

  constructor(name: string) {
    this.#name = name;
  }

  *read(): Software {
    while (this.#writer) yield { what: this.#name, ready: () => !this.#writer };
    this.#readers++;
  }

  readUnlock(): void {
    this.#readers--;
  }

  *write(): Software {
    const free = () => !this.#writer && this.#readers === 0;
    while (!free()) yield { what: this.#name, ready: free };
    this.#writer = true;
  }

  writeUnlock(): void {
    this.#writer = false;
  }
}

/** cond_resched between two tries: time passes, so that whoever is waited for has its turn. */
export function* condResched(current: Thread): Software {
  current.cpu.lp.spend(COST.syscall);
  yield 'pause';
}
