/** One shard of a stress program, run slice by slice. */
import { CoreMisuse, type CoreOptions } from '../../../bindings/index.ts';
import { StressCore } from '../../../bindings/stress.ts';
import { checkStressProgram } from './check.ts';
import { StressOutOfMemory } from './errors.ts';
import { type LoweredProgram, lowerProgram } from './lower.ts';
import { estimateFit } from './memory.ts';
import { STRESS_OPERATIONS, type StressOperation, type StressProgram } from './program.ts';
import type { StressFault, StressResult } from './result.ts';
import { checkCount, checkShard, type StressShard } from './shards.ts';

export interface StressOptions extends CoreOptions {
  /** A compiled core (default: the embedded one, compiled once a process). */
  readonly module?: WebAssembly.Module;
}

/** Faults in the order in which the core counts them. */
const FAULTS: readonly StressFault[] = ['poison', 'td-bit', 'mac', 'unprogrammed-key', 'partial-write'];

/**
 * A machine that runs one shard of a program (default: all of it as one shard). Slices of any length add up to the same result.
 * The constructor throws {@link StressMisuse}; it and {@link run} throw {@link StressOutOfMemory}.
 */
export class StressRun {
  readonly program: StressProgram;
  readonly shard: StressShard;
  readonly #lowered: LoweredProgram;
  readonly #core: StressCore;
  #failed: StressOutOfMemory | undefined;

  constructor(program: StressProgram, shard: StressShard = { index: 0, of: 1 }, options: StressOptions = {}) {
    checkShard(shard);
    checkStressProgram(program, shard.of);
    this.program = program;
    this.shard = shard;
    this.#lowered = lowerProgram(program, shard);
    this.#core = new StressCore(this.#lowered.config, this.#lowered.program, options);
    this.#guard(() => this.#core.setUp());
  }

  /** Runs the next `operations` operations. Throws {@link StressMisuse} `COUNT`. */
  run(operations: number): void {
    checkCount(operations);
    if (this.#failed !== undefined) throw this.#failed;
    this.#guard(() => this.#core.run(operations));
  }

  /** The result so far; good after {@link StressOutOfMemory} too. */
  get result(): StressResult {
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
      faults: named(FAULTS, faults),
      digest: digest.toString(16).padStart(16, '0'),
      provenanceDigest: provenanceDigest.toString(16).padStart(16, '0'),
      memoryUsed: this.#core.memoryUsed(),
      counters: this.#core.counters(),
    };
  }

  #guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof CoreMisuse && error.code === 'OUT_OF_MEMORY')) throw error;
      this.#failed = this.#outOfMemory();
      throw this.#failed;
    }
  }

  #outOfMemory(): StressOutOfMemory {
    const record = this.#core.read();
    const { operations } = record;
    const memoryUsed = this.#core.memoryUsed();
    const memoryLimit = this.#core.memoryLimit;
    const { footprint } = this.#lowered;
    const { touched, fits } = estimateFit(this.#lowered.program, record, memoryUsed, memoryLimit);
    const facts = { operations, memoryUsed, memoryLimit, footprint, touched, fits: fits * this.shard.of };
    const part = this.shard.of === 1 ? '' : `shard ${this.shard.index} of ${this.shard.of}: `;
    return new StressOutOfMemory(
      `${part}out of memory after ${operations} operations: ${size(touched)} of ${size(footprint)} touched took ${size(memoryUsed)} of ` +
        `${size(memoryLimit)}; a footprint of about ${size(facts.fits)} fits`,
      facts,
    );
  }
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < UNITS.length - 1; unit++) value /= 1024;
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`;
}
