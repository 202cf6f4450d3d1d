import { HardwareException } from './exceptions.ts';
import type { LogicalProcessor } from './logical-processor.ts';

/** How an MSR answers. A missing `write` makes WRMSR a #GP. */
export interface MsrHandler {
  read(lp: LogicalProcessor): bigint;
  write?(lp: LogicalProcessor, value: bigint): void;
}

/** The MSRs of the machine by index. RDMSR or WRMSR of anything else is #GP(0). */
export class MsrFile {
  readonly #handlers = new Map<number, MsrHandler>();

  define(index: number, handler: MsrHandler): void {
    this.#handlers.set(index, handler);
  }

  /** Read-only, the same on every LP. */
  constant(index: number, value: bigint): void {
    this.define(index, { read: () => value });
  }

  /** Plain storage, one value an LP. */
  perLp(index: number, initial: bigint): void {
    const values = new Map<number, bigint>();
    this.define(index, {
      read: (lp) => values.get(lp.id) ?? initial,
      write: (lp, value) => {
        values.set(lp.id, value);
      },
    });
  }

  read(lp: LogicalProcessor, index: number): bigint {
    return this.#get(index, 'RDMSR').read(lp);
  }

  write(lp: LogicalProcessor, index: number, value: bigint): void {
    const handler = this.#get(index, 'WRMSR');
    if (!handler.write) throw new HardwareException('#GP', `WRMSR of read-only MSR 0x${index.toString(16)}`);
    handler.write(lp, value);
  }

  #get(index: number, instruction: string): MsrHandler {
    const handler = this.#handlers.get(index);
    if (!handler) throw new HardwareException('#GP', `${instruction} of unknown MSR 0x${index.toString(16)}`);
    return handler;
  }
}
