/** What is counted: one operation, again and again, on a machine of its own. */

/** Rounds of the counted loop: part of what the baseline means. */
export const COUNTED = 1024;

export interface Running {
  /** Exact counts so far, of the model or of the operation's own. */
  counters(): Readonly<Record<string, number>>;
  /** Does the operation `operations` times more. */
  run(operations: number): void;
}

export interface HotOperation {
  readonly name: string;
  /** Operations of the shorter instruction count; the longer one does four times as many. */
  readonly operations: number;
  start(): Running;
}
