/** One shard of a stress program, run slice by slice. */

import { outOfMemory } from '../../../bindings/compile.ts';
import { CoreMisuse, type CoreOptions } from '../../../bindings/index.ts';
import { HostMemoryRefusal, StressCore } from '../../../bindings/stress.ts';
import { memoryPages, WASM_PAGE_BYTES } from '../../../bindings/wasm-core.ts';
import { checkStressProgram } from './check.ts';
import { type StressMemoryFacts, StressOutOfMemory } from './errors.ts';
import { STRESS_FAULTS, type StressFault } from './faults.ts';
import { type LoweredProgram, lowerProgram } from './lower.ts';
import { footprintFacts, generationFacts, hostFacts, machineFacts } from './memory.ts';
import { STRESS_OPERATIONS, type StressOperation, type StressProgram } from './program.ts';
import type { StressResult } from './result.ts';
import { checkCount, checkShard, type StressShard } from './shards.ts';

export interface StressOptions extends CoreOptions {
  /** A compiled core (default: the embedded one, compiled once a process). */
  readonly module?: WebAssembly.Module;
  /** Leave the memory that the first operation finds to {@link StressRun.prepare}, which can be called in slices. */
  readonly prepareLater?: boolean;
}

/** Faults in the order in which the core counts them. */
const CORE_FAULTS: readonly StressFault[] = ['poison', 'td-bit', 'mac', 'unprogrammed-key', 'partial-write'];

const byKind = (counts: readonly number[]): Record<StressFault, number> =>
  Object.fromEntries(STRESS_FAULTS.map(({ name }) => [name, counts[CORE_FAULTS.indexOf(name)]!])) as Record<StressFault, number>;

/** All of a footprint in one slice. */
const ALL_LINES = 2 ** 46;

const isOutOfMemory = (error: unknown): boolean => error instanceof CoreMisuse && error.code === 'OUT_OF_MEMORY';

/**
 * A machine that runs one shard of a program (default: all of it as one shard). Slices of any length add up to the same result.
 * The constructor throws {@link StressMisuse}; it, {@link prepare} and {@link run} throw {@link StressOutOfMemory}.
 */
export class StressRun {
  readonly program: StressProgram;
  readonly shard: StressShard;
  readonly #lowered: LoweredProgram;
  readonly #core: StressCore;
  /** Bytes in use before the first line is written. */
  readonly #fixed: number;
  #prepared = false;
  #failed: StressOutOfMemory | undefined;

  constructor(program: StressProgram, shard: StressShard = { index: 0, of: 1 }, options: StressOptions = {}) {
    checkShard(shard);
    checkStressProgram(program, shard.of);
    this.program = program;
    this.shard = shard;
    this.#lowered = lowerProgram(program, shard);
    this.#core = this.#start(options);
    this.#fixed = this.#core.memoryUsed();
    if (!options.prepareLater) this.#prepareAll();
  }

  #start(options: StressOptions): StressCore {
    const { config, program } = this.#lowered;
    const limit = memoryPages(options) * WASM_PAGE_BYTES;
    try {
      const core = new StressCore(config, program, options);
      core.setUp();
      return core;
    } catch (error) {
      if (error instanceof HostMemoryRefusal) throw this.#outOfMemory(hostFacts(0, null, limit));
      if (isOutOfMemory(error)) throw this.#outOfMemory(machineFacts(this.#lowered, limit, options));
      throw error;
    }
  }

  /**
   * Writes the next `lines` lines (about: whole regions) of what lies in memory before the first operation. True when all of it does;
   * {@link run} would do what is left. Throws {@link StressMisuse} `COUNT`.
   */
  prepare(lines: number): boolean {
    checkCount(lines);
    this.#guard(() => {
      this.#prepared = this.#prepared || this.#core.prepare(Math.max(1, lines));
    });
    return this.#prepared;
  }

  #prepareAll(): void {
    while (!this.prepare(ALL_LINES));
  }

  /** Lines of the footprint that are prepared, of all that will be. */
  get preparation(): { readonly done: number; readonly of: number } {
    const { prepare, lines } = this.#lowered.program;
    return { done: this.#core.read().preparedLines, of: prepare ? lines : 0 };
  }

  /** Runs the next `operations` operations. Throws {@link StressMisuse} `COUNT`. */
  run(operations: number): void {
    checkCount(operations);
    this.#prepareAll();
    this.#guard(() => this.#core.run(operations));
  }

  /** A part of the {@link result} so far that is quickly read and changes nothing inside the machine. */
  get progress(): Pick<StressResult, 'operations' | 'faults' | 'memoryUsed'> {
    const { operations, faults } = this.#core.read();
    return { operations, faults: byKind(faults), memoryUsed: this.#core.memoryUsed() };
  }

  /** The result so far; good after {@link StressOutOfMemory} too, but for counters of write-backs that then had no room. */
  get result(): StressResult {
    // Reading them ends what WBINVDs have promised, and so comes before the memory in use.
    const counters = this.#core.counters();
    const { operations, digest, provenanceDigest, byOperation, faults } = this.#core.read();
    const named = <Name extends string>(keys: readonly Name[], values: readonly number[]): Record<Name, number> =>
      Object.fromEntries(keys.map((name, i) => [name, values[i]!])) as Record<Name, number>;
    return {
      shard: this.shard,
      operations,
      byOperation: named<StressOperation>(
        STRESS_OPERATIONS.map(({ name }) => name),
        byOperation,
      ),
      faults: byKind(faults),
      digest: digest.toString(16).padStart(16, '0'),
      provenanceDigest: provenanceDigest.toString(16).padStart(16, '0'),
      memoryUsed: this.#core.memoryUsed(),
      counters,
    };
  }

  #guard(step: () => void): void {
    if (this.#failed !== undefined) throw this.#failed;
    try {
      step();
    } catch (error) {
      if (!isOutOfMemory(error)) throw error;
      this.#failed = this.#outOfMemory(this.#facts(error as CoreMisuse));
      throw this.#failed;
    }
  }

  #facts({ message }: CoreMisuse): Omit<StressMemoryFacts, 'footprint'> {
    const record = this.#core.read();
    const use = { used: this.#core.memoryUsed(), fixed: this.#fixed, limit: this.#core.memoryLimit };
    if (message !== outOfMemory().message) return generationFacts(record.operations, use);
    if (this.#core.refusedByHost()) return hostFacts(record.operations, use.used, use.limit);
    return footprintFacts(this.#lowered, this.shard.of, record, use);
  }

  #outOfMemory(facts: Omit<StressMemoryFacts, 'footprint'>): StressOutOfMemory {
    const { index, of } = this.shard;
    const summary = of === 1 ? facts.summary : `shard ${index} of ${of}: ${facts.summary}`;
    return new StressOutOfMemory({ ...facts, summary, footprint: this.#lowered.footprint });
  }
}
