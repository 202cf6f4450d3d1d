/** A machine that runs a stress program inside Wasm: the program goes in as a struct, the result comes out as a record. */
import * as L from '../assembly/layout.ts';
import { COUNTER_NAMES } from '../src/spec/counters.ts';
import { checkConfig } from './checks.ts';
import { compileCore, instantiateCore } from './compile.ts';
import { writeConfig } from './config-struct.ts';
import type { CoreExports } from './core-exports.ts';
import { type CoreConfig, CoreMisuse } from './memory-core.ts';
import type { StressCoreProgram } from './stress-program.ts';
import { type CoreOptions, memoryPages, WASM_PAGE_BYTES } from './wasm-core.ts';

/** Machine checks and aborts by check, in the order of CHECK_POISON and those after it. */
const FAULT_KINDS = L.CHECK_PARTIAL_WRITE;

export interface StressRecord {
  readonly operations: number;
  readonly digest: bigint;
  readonly provenanceDigest: bigint;
  readonly byOperation: readonly number[];
  readonly faults: readonly number[];
  /** Lines of the footprint that {@link StressCore.prepare} has written. */
  readonly preparedLines: number;
}

function writeProgram(view: DataView, program: StressCoreProgram): void {
  const longs: [number, bigint | number][] = [
    [L.STRESS_SEED, program.seed],
    [L.STRESS_BASE_LINE, program.baseLine],
    [L.STRESS_LINES, program.lines],
    [L.STRESS_PARAMETER, program.parameter],
    [L.STRESS_HOT_BELOW, program.hotBelow],
    [L.STRESS_PRIVATE_BELOW, program.privateBelow],
    [L.STRESS_TABLE_PAGE, program.tablePage],
  ];
  const words: [number, number | boolean][] = [
    [L.STRESS_GUEST_PAGES, program.guestPages],
    [L.STRESS_PATTERN, program.pattern],
    [L.STRESS_REGION_SHIFT, program.regionShift],
    [L.STRESS_PREPARE, program.prepare],
    [L.STRESS_SHARED_KEY_IDS, program.sharedKeyIds],
    [L.STRESS_PRIVATE_KEY_IDS, program.privateKeyIds],
    [L.STRESS_CROSS_BELOW, program.crossBelow],
    [L.STRESS_ZIPF_BUCKETS, program.zipf.length],
  ];
  for (const [offset, value] of longs) view.setBigUint64(offset, BigInt(value), true);
  for (const [offset, value] of words) view.setUint32(offset, Number(value), true);
  program.mix.forEach((below, i) => {
    view.setBigUint64(L.STRESS_MIX + i * 8, below, true);
  });
  program.zipf.forEach(({ below, first, lines }, i) => {
    const at = L.STRESS_ZIPF + i * L.STRESS_BUCKET_BYTES;
    view.setBigUint64(at + L.STRESS_BUCKET_BELOW, below, true);
    view.setBigUint64(at + L.STRESS_BUCKET_START, BigInt(first), true);
    view.setBigUint64(at + L.STRESS_BUCKET_LINES, BigInt(lines), true);
  });
}

/** The host gave a machine neither address space nor memory, though its own limit would have. */
export class HostMemoryRefusal extends Error {
  override readonly name = 'HostMemoryRefusal';
}

function instantiate(module: WebAssembly.Module): CoreExports {
  try {
    return instantiateCore(module);
  } catch (error) {
    if (error instanceof RangeError) throw new HostMemoryRefusal('the host gives no more address space', { cause: error });
    throw error;
  }
}

/** One machine and its program. Config and program are checked where they are made. */
export class StressCore {
  readonly #core: CoreExports;
  readonly #program: StressCoreProgram;
  readonly memoryLimit: number;

  /** Throws {@link CoreMisuse} `CONFIG`, `OUT_OF_MEMORY`, and {@link HostMemoryRefusal}. */
  constructor(config: CoreConfig, program: StressCoreProgram, options: CoreOptions & { readonly module?: WebAssembly.Module }) {
    checkConfig(config);
    if (L.STRESS_ZIPF + program.zipf.length * L.STRESS_BUCKET_BYTES > L.MAILBOX_SIZE)
      throw new CoreMisuse('LENGTH_RANGE', `${program.zipf.length} zipf buckets: the mailbox does not hold them`);
    const maxPages = memoryPages(options);
    this.memoryLimit = maxPages * WASM_PAGE_BYTES;
    this.#program = program;
    this.#core = instantiate(options.module ?? compileCore());
    writeConfig(this.#mailbox(), config, maxPages);
    this.#core.init();
  }

  #mailbox(): DataView {
    return new DataView(this.#core.memory.buffer, Number(this.#core.mailbox.value), L.MAILBOX_SIZE);
  }

  /** Takes the program in and programs the KeyIDs. Throws {@link CoreMisuse} `OUT_OF_MEMORY`. */
  setUp(): void {
    const mailbox = this.#mailbox();
    new Uint8Array(mailbox.buffer, mailbox.byteOffset, mailbox.byteLength).fill(0);
    writeProgram(mailbox, this.#program);
    this.#core.stressSetUp();
  }

  /**
   * Writes the next `lines` (1 or more) lines of the footprint, up to a region more, and then the S-EPT. True when all is written.
   * Throws {@link CoreMisuse} `OUT_OF_MEMORY`.
   */
  prepare(lines: number): boolean {
    return this.#core.stressPrepare(lines) !== 0;
  }

  /** Runs the next operations. Throws {@link CoreMisuse} `OUT_OF_MEMORY` between two of them. */
  run(operations: number): void {
    this.#core.stressRun(operations);
  }

  read(): StressRecord {
    const view = new DataView(this.#core.memory.buffer, Number(this.#core.stressResult.value), L.STRESS_RESULT_BYTES);
    const counts = (at: number, length: number): number[] =>
      Array.from({ length }, (_, i) => Number(view.getBigUint64(at + i * 8, true)));
    return {
      operations: Number(view.getBigUint64(L.STRESS_POSITION, true)),
      digest: view.getBigUint64(L.STRESS_DIGEST, true),
      provenanceDigest: view.getBigUint64(L.STRESS_PROVENANCE_DIGEST, true),
      byOperation: counts(L.STRESS_BY_OPERATION, L.STRESS_OPERATIONS),
      faults: counts(L.STRESS_FAULTS + 8, FAULT_KINDS),
      preparedLines: Number(view.getBigUint64(L.STRESS_PREPARED, true)),
    };
  }

  memoryUsed(): number {
    return this.#core.memoryUsed();
  }

  /** Asked after a failure: is it the host that gave no more memory, and not the machine's own limit? */
  refusedByHost(): boolean {
    const { memory } = this.#core;
    try {
      memory.grow(Math.max(0, this.memoryLimit - memory.buffer.byteLength) / WASM_PAGE_BYTES);
      return false;
    } catch {
      return true;
    }
  }

  counters(): Record<string, number> {
    return Object.fromEntries(COUNTER_NAMES.map((name, i) => [name, this.#core.counter(i)]));
  }
}
