import type { CpuidRegisters } from '../spec/cpuid.ts';
import { MODEL_SIGNATURE, type NativeLeaf, nativeLeaves } from './cpuid-native.ts';
import type { LogicalProcessor } from './logical-processor.ts';
import type { Platform } from './platform.ts';

const VERSION = 0x1;
const TOPOLOGY: readonly number[] = [0xb, 0x1f];
const THREADS_PER_CORE = 2;
const LEVEL_SMT = 1;
const LEVEL_CORE = 2;

/** Native CPUID of the part. Leaves come from spec/cpuid (the values the TDX module verifies); topology and model from the platform. */
export class NativeCpuid {
  readonly #leaves: readonly NativeLeaf[] = nativeLeaves();
  readonly #signature: number;
  readonly #lpsPerPackage: number;

  constructor(platform: Platform) {
    this.#signature = MODEL_SIGNATURE[platform.knobs['cpu.model']];
    this.#lpsPerPackage = platform.lps.length / platform.packages;
  }

  /** EAX, EBX, ECX, EDX of a leaf on an LP; unknown leaves are zero. */
  read(lp: LogicalProcessor, leaf: number, subleaf: number): CpuidRegisters {
    if (TOPOLOGY.includes(leaf)) return this.#topology(lp, subleaf);
    const values = this.#leaves.find(
      (known) => known.leaf === leaf && (known.subleaf === undefined || known.subleaf === subleaf),
    )?.values;
    if (!values) return [0, 0, 0, 0];
    return leaf === VERSION ? this.#version(lp, values) : values;
  }

  /** Builds another part: replaces a leaf on every LP (a platform variant, before software runs). */
  define(leaf: number, subleaf: number | undefined, values: CpuidRegisters): void {
    const known = this.#leaves.find((entry) => entry.leaf === leaf && entry.subleaf === subleaf);
    if (!known) throw new RangeError(`this part has no CPUID leaf 0x${leaf.toString(16)}`);
    known.values = values;
  }

  #version(lp: LogicalProcessor, [, ebx, ecx, edx]: CpuidRegisters): CpuidRegisters {
    return [this.#signature, (ebx | (lp.apicId << 24) | (this.#lpsPerPackage << 16)) >>> 0, ecx, edx];
  }

  /** V2 extended topology: threads, cores, end. EBX counts LPs at the level, EAX shifts to the next. */
  #topology(lp: LogicalProcessor, subleaf: number): CpuidRegisters {
    const threads = Math.min(THREADS_PER_CORE, this.#lpsPerPackage);
    const levels = [
      { type: LEVEL_SMT, lps: threads },
      { type: LEVEL_CORE, lps: this.#lpsPerPackage },
    ];
    const level = levels[subleaf];
    if (!level) return [0, 0, subleaf & 0xff, lp.apicId];
    return [Math.ceil(Math.log2(level.lps)), level.lps, (level.type << 8) | subleaf, lp.apicId];
  }
}
