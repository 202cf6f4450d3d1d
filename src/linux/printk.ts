import type { Platform } from '../platform/index.ts';

export type LogLevel = 'emerg' | 'err' | 'warn' | 'info';
export type Facts = Readonly<Record<string, string | number | boolean>>;

/** One line of the kernel log. The facts are the interface; the text is for people. */
export interface LogEntry {
  readonly time: number;
  readonly cpu: number;
  readonly level: LogLevel;
  readonly subsystem: string;
  readonly text: string;
  readonly facts: Facts;
}

/** The kernel log of one kernel. */
export class KernelLog {
  readonly entries: LogEntry[] = [];
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  print(cpu: number, level: LogLevel, subsystem: string, text: string, facts: Facts = {}): void {
    const lp = this.#platform.lps[cpu]!;
    this.entries.push({ time: lp.now, cpu, level, subsystem, text, facts });
    lp.endEvent(lp.beginEvent('log', `${subsystem}: ${text}`));
  }

  /** Lines of a subsystem, as text. */
  lines(subsystem?: string): string[] {
    return this.entries
      .filter((entry) => !subsystem || entry.subsystem === subsystem)
      .map((entry) => `${entry.subsystem}: ${entry.text}`);
  }
}
